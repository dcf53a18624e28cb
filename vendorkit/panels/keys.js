this.closest('.vendorkit-panel')?.addEventListener('keydown', e => {
  e.ctrlKey || e.metaKey || e.altKey || e.stopPropagation();
});
