// Keys for review and lists; everything works without this file.
(function () {
  "use strict";
  var busy = false;
  function typing(target) {
    return target instanceof Element && target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  }
  document.addEventListener("keydown", function (event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat || busy) return;
    if (typing(event.target)) return;
    var found = document.querySelector('[data-key="' + CSS.escape(event.key.toLowerCase()) + '"]');
    if (!found || found.disabled) return;
    event.preventDefault();
    busy = found.tagName === "BUTTON";
    found.click();
  });
  document.addEventListener("change", function (event) {
    var all = event.target instanceof Element && event.target.closest("[data-all]");
    if (!all) return;
    document.querySelectorAll('input[type=checkbox][name="' + CSS.escape(all.dataset.all) + '"]').forEach(function (one) {
      one.checked = all.checked;
    });
  });
  function ready() { busy = false; }
  window.addEventListener("pageshow", ready);
  document.addEventListener("htmx:afterSwap", ready);
  document.addEventListener("htmx:responseError", ready);
})();
