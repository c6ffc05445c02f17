// Names and keyboard access that the theme leaves out.
function complete() {
  document.querySelector("[data-md-component=search]").setAttribute("aria-label", "Search");
  document.querySelectorAll("nav.md-code__nav").forEach((nav, i) => {
    if (!nav.ariaLabel) nav.ariaLabel = `Code block ${i + 1}`;
  });
  document.querySelectorAll("pre code, .md-typeset__scrollwrap").forEach((box) => {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  });
}
new MutationObserver(complete).observe(document.body, { childList: true, subtree: true });
addEventListener("load", complete);
