// Runs once per outermost panel. It labels groups of buttons, marks live regions before their text changes, removes
// tooltips that read "null", and preserves the keyboard focus. Front ends rebuild groups of buttons and disable buttons.
// The focused element then disappears or cannot keep the focus, and the next Tab would start at the top of the page.
// Keys pressed in a panel must not reach JupyterLab, where "b" in a focused list would insert a cell.
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
    top.querySelectorAll('[role=tab]:not([tabindex])').forEach(one => {  // JupyterLab 3 has no keyboard support for tabs
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
    if (last.isConnected && last.disabled) return top.focus({preventScroll: true});  // until the button is enabled again
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
