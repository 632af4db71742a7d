/**
 * The looks of what the elements show by themselves. Constructed sheets, since a page's policy may forbid style
 * elements; logical properties, so that right-to-left needs nothing else; the colours are the page's.
 */

export const COMMON = `
:host{display:block}
:host([hidden]),[hidden]{display:none!important}
button{font:inherit;color:inherit;background:none;border:1px solid;border-radius:.4em;padding:.35em .7em;min-block-size:2rem;cursor:pointer}
:focus-visible{outline:2px solid;outline-offset:2px}
ul{list-style:none;margin:0;padding:0}
.quiet{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%);margin:0;white-space:nowrap}
button:hover{background:color-mix(in srgb,currentColor 12%,transparent)}
`;

export const LIST = `
:host{position:relative}
.list{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(var(--pique-item-size,9rem),1fr))}
.list[inert]{opacity:.5}
.item{display:flex;flex-direction:column;gap:.35em;min-inline-size:0}
.link{color:inherit;text-decoration:none;display:block}
.link[href]:hover .title{text-decoration:underline}
.image{display:block;inline-size:100%;block-size:auto;aspect-ratio:var(--pique-image-ratio,2/3);object-fit:cover;border-radius:.4em;background:color-mix(in srgb,currentColor 12%,transparent);margin-block-end:.35em}
.title{text-align:match-parent}
.title,.reason{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden;line-height:1.3;block-size:2.6em}
.reason{font-size:.875em;margin:0}
.actions{display:flex;gap:.35em}
.actions button{min-inline-size:2rem;padding:0}
button[aria-pressed=true]{background:color-mix(in srgb,currentColor 22%,transparent)}
`;
