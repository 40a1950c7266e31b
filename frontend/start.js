// Starts the app with the files that the page already preloads.
const file = (rel) => document.querySelector(`link[rel="${rel}"]`).href;
const { default: start } = await import(file("modulepreload"));
await start({ module_or_path: file("preload") });
