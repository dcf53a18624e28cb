const shown = this.nextElementSibling;
getSelection().selectAllChildren(shown);
document.addEventListener('copy', e => {
  e.clipboardData.setData('text/plain', shown.textContent);
  e.preventDefault();
}, {once: true});
this.textContent = document.execCommand('copy') ? 'Copied' : 'Now press Ctrl+C';
