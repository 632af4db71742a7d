/** The looks of `<pique-privacy>`, beside what the elements have in common. */

export const PANEL = `
p{margin-block:.5em}
.rows li{display:flex;gap:.5em;align-items:center;justify-content:space-between;border-block-start:1px solid color-mix(in srgb,currentColor 25%,transparent);padding-block:.4em}
.rows span{min-inline-size:0;overflow-wrap:anywhere}
.rows small{display:block;font-size:.875em}
.tools{display:flex;flex-wrap:wrap;gap:.5em;margin-block:1em}
.switch{display:inline-flex;gap:.5em;align-items:center;min-block-size:2rem}
.switch input{inline-size:1.25em;block-size:1.25em;accent-color:currentColor}
`;
