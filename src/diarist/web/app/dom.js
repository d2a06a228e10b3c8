// Elements, and what is said to those who do not see the page. Nothing here, or anywhere, parses markup.

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] attributes; `on…` are listeners, `class`, `dataset` and `text` as named
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {any}
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === 'text') element.textContent = String(value);
    else if (name === 'dataset') Object.assign(element.dataset, value);
    else if (name === 'value') /** @type {any} */ (element).value = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * @param {string} text
 * @param {(event: Event) => void} onclick
 * @param {Record<string, unknown>} [properties]
 */
export function button(text, onclick, properties = {}) {
  return el('button', {type: 'button', onclick, ...properties}, text);
}

/**
 * A labelled field.
 * @param {string} label
 * @param {HTMLElement} field
 * @param {string} [help]
 */
export function labelled(label, field, help) {
  const id = field.id || (field.id = `field-${counter++}`);
  if (!help) return el('div', {class: 'field'}, el('label', {for: id}, label), field);
  field.setAttribute('aria-describedby', `${id}-help`);
  return el('div', {class: 'field'}, el('label', {for: id}, label), field, el('small', {id: `${id}-help`}, help));
}

let counter = 0;

/** Say something to screen readers, and show it for a while. @param {string} text */
export function announce(text) {
  const place = document.getElementById('said');
  if (!place) return;
  place.textContent = text;
  place.classList.add('shown');
  clearTimeout(hiding);
  hiding = setTimeout(() => place.classList.remove('shown'), 6000);
}

/** @type {ReturnType<typeof setTimeout>|undefined} */
let hiding;

/**
 * Open a dialog, which keeps the focus, closes with Escape and gives the focus back.
 * @param {string} title
 * @param {(close: () => void) => Node[]} content
 * @param {{closed?: () => void, close: string}} options
 */
export function open(title, content, options) {
  const id = `title-${counter++}`;
  const before = /** @type {HTMLElement|null} */ (document.activeElement);
  const dialog = el('dialog', {'aria-labelledby': id});
  const close = () => dialog.close();
  dialog.append(
    el('header', {}, el('h2', {id}, title), button('✕', close, {class: 'quiet', 'aria-label': options.close})),
    ...content(close),
  );
  dialog.addEventListener('close', () => {
    dialog.remove();
    if (before?.isConnected) before.focus({preventScroll: true});
    options.closed?.();
  });
  dialog.addEventListener('keydown', /** @param {KeyboardEvent} event */ event => event.stopPropagation());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Whether keys are meant for a field. @param {EventTarget|null} target */
export function isField(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input:not([type=range]):not([type=checkbox]),select,textarea'));
}
