// Frames that scroll can be reached by keyboard; what fits needs no stop.
addEventListener("DOMContentLoaded", () => {
  for (const frame of document.querySelectorAll(".table-wrapper, .cell_output, .highlight pre")) {
    if (frame.scrollWidth > frame.clientWidth) {
      frame.tabIndex = 0;
    }
  }
});
