// What the server puts before static/worker.js.
declare const FILES: string[];
declare const VERSION: string;
