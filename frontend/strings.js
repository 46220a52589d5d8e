// @ts-check
/** What the page's scripts say, in English: the one file to translate, beside `index.html`. */

export const S = {
  automatic: "Automatic",
  linkCopied: "Copied. The link holds these settings and nothing secret.",
  linkUsed: "The settings that came with this link are in use. Look at them under Settings.",
  settingsReset: "The defaults are back.",
  you: "You",
  model: "Model",
  note: "Note",
  interrupted: "interrupted",
  picture: "A picture for the model",
  noPicture: "This file is no picture that the browser can read.",
  modelTakesNoPictures: "This model takes no pictures.",
  copied: "Copied",
  copyFailed: "The browser doesn't let this page use the clipboard.",
  nothingFound: "Nothing",
  /** @param {number} at @param {number} of */
  found: (at, of) => `${at} of ${of}`,
};
