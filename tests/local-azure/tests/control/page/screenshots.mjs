// Takes the pictures of the page that the docs show. Arguments: the page's address, and the folder for them.

import { open, withBrowser } from "./browser.mjs";

const [address, folder] = process.argv.slice(2);
await withBrowser(async (browser) => {
  for (const scheme of ["light", "dark"]) {
    const page = await open(browser, address, scheme);
    await page.getByText("live", { exact: true }).waitFor();
    await page.screenshot({ path: `${folder}/local-azure-${scheme}.png` });
  }
});
