// Once per outermost panel: names for groups of buttons, live regions that exist before their text changes, no tooltip
// "null", and the focus. Front ends build groups of buttons anew and disable buttons: what had the focus is gone or
// cannot have it, and the keyboard would begin at the top of the page again. JupyterLab takes arrows and letters from a
// list that has the focus: "b" would insert a cell, and nothing be chosen.
let top = this.closest('.vendorkit-panel');
for (let outer; (outer = top?.parentElement?.closest('.vendorkit-panel')); ) top = outer;
if (top && !top.dataset.vkFocus) {
  top.dataset.vkFocus = 'kept';
  top.tabIndex = -1;
  const names = {'vk-heads': 'Sort by column', 'vk-rows': 'Open row', 'vk-chips': 'Active filters: press one to remove it',
    'vk-presets': 'Column presets'};
  const usable = one => one?.isConnected && !one.disabled && one.getClientRects().length;
  const label = () => {
    for (const name in names) {
      top.querySelectorAll(`.${name}:not([role])`).forEach(group => {
        group.setAttribute('role', 'group');
        group.setAttribute('aria-label', names[name]);
      });
    }
    top.querySelectorAll('.vk-status:not([role])').forEach(one => one.setAttribute('role', 'status'));
    top.querySelectorAll('.vk-bar>.widget-toggle-button').forEach(
      one => one.setAttribute('aria-expanded', one.classList.contains('mod-active')));
    top.querySelectorAll('[title=null]').forEach(one => one.removeAttribute('title'));
    top.querySelectorAll('[role=tab]:not([tabindex])').forEach(one => {  // JupyterLab 3: tabs are for mice alone
      one.tabIndex = 0;
      one.dataset.vkTab = '';
    });
    top.querySelectorAll('.vk-off:not([aria-disabled])').forEach(one => one.setAttribute('aria-disabled', 'true'));
    top.querySelectorAll('[aria-disabled]:not(.vk-off)').forEach(one => one.removeAttribute('aria-disabled'));
  };
  let last, around = [], place = 0;
  const keep = () => {
    const now = document.activeElement;
    if (!last || !(now === document.body || now === top || (now === last && !usable(last)))) return;
    if (usable(last)) {
      if (now === top) last.focus({preventScroll: true});
      return;
    }
    if (last.isConnected && last.disabled) return top.focus({preventScroll: true});  // until it can have it again
    const group = last.matches('.widget-toggle-button') && around[0].isConnected ? around[0].children : [];
    const alike = group[Math.min(place, group.length - 1)];
    if (usable(alike)) return alike.focus({preventScroll: true});
    for (const box of around) {
      const landing = box.isConnected && [...box.querySelectorAll('.vk-landing')].find(one => usable(one));
      if (landing) return (landing.querySelector('input') || landing).focus({preventScroll: true});
    }
    top.focus({preventScroll: true});
  };
  top.addEventListener('focusin', event => {
    if (event.target === top) return;
    last = event.target;
    place = [...last.parentElement.children].indexOf(last);
    around = [];
    for (let box = last; box !== top; ) around.push((box = box.parentElement));
  });
  top.addEventListener('pointerdown', event => { if (!event.target.closest('button,input,select,a,summary,[role=tab]')) last = null; });
  document.addEventListener('pointerdown', event => { if (!top.contains(event.target)) last = null; });
  new MutationObserver(() => { label(); keep(); }).observe(top, {
    childList: true, subtree: true, attributes: true, attributeFilter: ['disabled', 'title', 'class', 'style'],
  });
  top.addEventListener('keydown', event => {
    const tab = event.target.closest('[data-vk-tab]');
    if (tab && ['Enter', ' '].includes(event.key)) {
      const {left, right, top: above, bottom} = tab.getBoundingClientRect();
      const where = {bubbles: true, clientX: (left + right) / 2, clientY: (above + bottom) / 2};
      for (const kind of ['pointerdown', 'pointerup']) tab.dispatchEvent(new PointerEvent(kind, where));
      event.preventDefault();
    }
    event.ctrlKey || event.metaKey || event.altKey || event.stopPropagation();
  });
  label();
}
