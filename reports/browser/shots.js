// Takes screenshots of a report: `node shots.js REPORT FOLDER`.

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { findChromium, launch } from "./browser.js";

const [report, folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const browser = await launch(findChromium());
for (const [name, options] of [
  ["desktop", { viewport: { width: 1360, height: 1000 } }],
  ["dark", { viewport: { width: 1360, height: 1000 }, colorScheme: "dark" }],
  ["phone", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true }],
]) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(pathToFileURL(resolve(report)).href);
  for (const section of ["top", "guide", "use-cases", "requirements", "comparison", "oversell", "cost", "failures", "measured"]) {
    if (section === "top") await page.evaluate(() => scrollTo(0, 0));
    else await page.evaluate((id) => document.getElementById(id)?.scrollIntoView(), section);
    if (section === "failures") {
      await page.evaluate(() => {
        const article = document.querySelector("article.failure:has(.diagram)");
        for (let up = article?.closest("details"); up; up = up.parentElement.closest("details")) up.open = true;
        article?.scrollIntoView();
      });
    }
    await page.waitForTimeout(100);
    await page.screenshot({ path: join(folder, `${name}-${section}.png`) });
  }
  await context.close();
}
await browser.close();
