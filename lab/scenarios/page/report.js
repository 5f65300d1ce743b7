// Draws each chart once it can be seen: those of folded rounds wait until they are opened.
(() => {
  const settings = { displayModeBar: false, responsive: true };
  const draw = (place) => {
    if (place.dataset.drawn) return;
    place.dataset.drawn = "yes";
    const { data, layout } = JSON.parse(place.querySelector("script").textContent);
    Plotly.newPlot(place, data, layout, settings);
  };
  const all = (where) => [...where.querySelectorAll(".chart")];
  const shown = (place) => !place.closest("details:not([open])");
  for (const folded of document.querySelectorAll("details")) {
    folded.addEventListener("toggle", () => folded.open && all(folded).filter(shown).forEach(draw));
  }
  const open = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target?.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", open);
  open();
  all(document).filter(shown).forEach(draw);
  // Paper is narrower than most screens, and a chart does not reflow by itself.
  const fit = (width) => all(document).filter((place) => place.dataset.drawn)
    .forEach((place) => Plotly.relayout(place, width ? { width } : { width: null, autosize: true }));
  addEventListener("beforeprint", () => fit(660));
  addEventListener("afterprint", () => fit(0));
})();
