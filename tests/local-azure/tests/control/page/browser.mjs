// A headless Chromium on the page. Arguments of the programs that use it: the page's address, and whatever they need.

import { createRequire } from "node:module";

const { chromium } = createRequire(`${process.env.NODE_HOME}/`)("playwright-core");

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Runs `use` with a browser, which is closed whatever happens. */
export async function withBrowser(use) {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  try {
    await use(browser);
  } finally {
    await browser.close();
  }
}

/** A page of this size, in the light or the dark. */
export async function open(browser, address, colorScheme, viewport = { width: 1180, height: 840 }) {
  const context = await browser.newContext({ colorScheme, viewport });
  const page = await context.newPage();
  await page.goto(address);
  return page;
}
