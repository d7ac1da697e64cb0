// Where every page starts: what all pages need, and the chat where there is one.

import { startChat } from "./chat_page.js";
import { readTexts } from "./dom/page_data.js";
import { localiseTimes } from "./dom/time.js";
import { SendOnce } from "./views/send_once.js";
import { SignOut } from "./views/sign_out.js";
import { speak } from "./words.js";

speak(document.documentElement.lang, readTexts(), navigator.languages);
localiseTimes(document);
if (document.querySelector("[data-copy]") !== null) void import("./views/copying.js").then(({ offerCopying }) => offerCopying(document));
new SendOnce(document, window).connect();

const search = document.querySelector("input[type='search']");
if (search instanceof HTMLInputElement && search.value === search.defaultValue) {
  search.setSelectionRange(search.value.length, search.value.length); // behind "in:room ", unless somebody was quicker
}

const chat = document.querySelector("#chat");
const leave = chat instanceof HTMLElement ? startChat(chat) : () => {};
new SignOut(leave).connect();
