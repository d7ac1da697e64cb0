// What the scripts say, in the language of the page. A leaf: every layer may use it, and it knows no DOM.
// The English stands in the calls themselves, t("…") and tn("…", "…"), where the catalogues are extracted from.

/** @typedef {Record<string, string | number>} Values */
/** @typedef {Record<string, string | Record<string, string>>} Texts a text by its English; one with a number by the categories of Intl.PluralRules */

const ENGLISH = "en";

/** @type {Texts} */
let texts = {};
let language = ENGLISH;
let locale = ENGLISH;
let plurals = new Intl.PluralRules(ENGLISH);
let numbers = new Intl.NumberFormat(ENGLISH);

/**
 * From now on the scripts speak this language.
 * @param {string} code of the page
 * @param {Texts} said
 * @param {readonly string[]} wishes the reader's locales, best first: the one of this language decides how dates look
 */
export function speak(code, said = {}, wishes = []) {
  language = code;
  locale = wishes.find((wish) => wish.toLowerCase().split("-")[0] === code.split("-")[0]) ?? code;
  texts = said;
  plurals = new Intl.PluralRules(code);
  numbers = new Intl.NumberFormat(locale);
}

/** The locale for `Intl`: the page's language with the reader's region. */
export function localeOfPage() {
  return locale;
}

/** Whether what the server says in English is in the reader's language. */
export function speaksEnglish() {
  return language === ENGLISH;
}

/**
 * The text with its `%(name)s` filled in.
 * @param {string} text
 * @param {Values} [values]
 */
export function t(text, values = {}) {
  const said = texts[text];
  return fill(typeof said === "string" ? said : text, values);
}

/**
 * The text for `count`, which may stand in it as `%(count)s`.
 * @param {string} one
 * @param {string} other
 * @param {number} count
 * @param {Values} [values]
 */
export function tn(one, other, count, values = {}) {
  const said = texts[one];
  const forms = typeof said === "object" ? said : { one, other };
  return fill(forms[plurals.select(count)] ?? forms.other ?? other, { count, ...values });
}

/**
 * A number as the reader writes it.
 * @param {number} value
 */
export function number(value) {
  return numbers.format(value);
}

/**
 * @param {string} text
 * @param {Values} values
 */
function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (place, name) => {
    const value = values[name];
    return value === undefined ? place : typeof value === "number" ? number(value) : value;
  });
}
