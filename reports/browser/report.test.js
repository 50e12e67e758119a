// Tests a report in a browser: `REPORT=path/to/report.html npm test`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { findChromium, launch } from "./browser.js";

const report = resolve(process.env.REPORT ?? "report.html");
const url = pathToFileURL(report).href;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser;
before(async () => { browser = await launch(findChromium()); });
after(async () => { await browser?.close(); });

/** Opens the report. `trouble` collects console errors and warnings, page errors and network requests. */
async function open({ fragment = "", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const trouble = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) trouble.push(message.text());
  });
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) trouble.push(`requested ${request.url()}`);
  });
  await page.goto(url + fragment);
  return { context, page, trouble };
}

test("the page logs no errors and sends no requests", async () => {
  const { context, page, trouble } = await open();
  await page.evaluate(() => { for (const one of document.querySelectorAll("details")) one.open = true; });
  await page.mouse.wheel(0, 20_000);
  await page.waitForTimeout(300);
  assert.deepEqual(trouble, []);
  await context.close();
});

test("the page is under 5 MB", () => {
  assert.ok(readFileSync(report).length < 5_000_000);
});

test("the outline is in order, and can be read without scripts", async () => {
  const { context, page, trouble } = await open({ javaScriptEnabled: false });
  const headings = await page.locator("main > section > h2").allTextContents();
  const wanted = ["Use cases", "Requirements", "Comparison", "Oversell", "The cost of safety", "Failures", "How it was measured"];
  assert.deepEqual(headings.filter((heading) => wanted.includes(heading)), wanted);
  assert.ok(await page.locator(".view-harm table").isVisible());
  await page.locator('label[for="view-lost"]').click();
  assert.ok(await page.locator(".view-lost table").isVisible());
  assert.deepEqual(trouble, []);
  await context.close();
});

test("the keyboard navigates from the matrix to the diagram and the command, and back", async () => {
  const { context, page } = await open();
  const cell = page.locator(".view-harm td a").first();
  await cell.focus();
  await page.keyboard.press("ArrowRight");
  assert.notEqual(await page.evaluate(() => document.activeElement.href), await cell.getAttribute("href"));
  await cell.focus();
  const target = (await cell.getAttribute("href")).slice(1);
  await page.keyboard.press("Enter");
  await page.waitForFunction((id) => document.activeElement?.id === id, target);
  const article = page.locator(`[id="${target}"]`);
  assert.ok(await article.locator("ul.violated").isVisible());
  assert.ok((await article.locator("code").textContent()).startsWith("fencepost replay "));
  let tag = "";
  for (let press = 0; press < 4 && tag !== "BUTTON"; press += 1) {
    await page.keyboard.press("Tab");
    tag = await page.evaluate(() => document.activeElement.tagName);
  }
  assert.equal(tag, "BUTTON");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.textContent === "Copied");
  await page.goBack();
  await page.waitForFunction(() => document.activeElement.matches(".view-harm td a"));
  await context.close();
});

/** Ids of the diagrams that the page's script has to draw, in the order of the page. */
const undrawn = (page) => page.$$eval("article:has(.undrawn)", (articles) => articles.map((article) => article.id));

test("a failing cell of the matrix links to its diagram, for every lock", async () => {
  const { context, page, trouble } = await open();
  const packed = new Set(await undrawn(page));
  const links = await page.$$eval("#comparison details td a", (all) => all.map((a) => a.getAttribute("href").slice(1)));
  const byLock = new Map(links.filter((id) => packed.has(id)).map((id) => [id.split(".").at(-1), id]));
  assert.ok(byLock.size > 0, "no diagram is packed");
  for (const id of [...byLock.values()].slice(0, 5)) {
    await page.evaluate((target) => {
      const link = document.querySelector(`#comparison details td a[href="#${target}"]`);
      link.closest("details").open = true;
      link.focus();
    }, id);
    await page.keyboard.press("Enter");
    const svg = page.locator(`[id="${id}"] .diagram svg`);
    await svg.waitFor();
    const { width, height } = await svg.boundingBox();
    assert.ok(width > 300 && height > 200, `${id}: ${width} × ${height}`);
    assert.ok(await svg.locator("text").count() > 5);
    const textColour = () => svg.locator("text").first().evaluate((text) => getComputedStyle(text).fill);
    const light = await textColour();
    await page.getByRole("button", { name: "Dark or light" }).click();
    assert.notEqual(await textColour(), light, "the diagram follows the theme");
  }
  assert.deepEqual(trouble, []);
  await context.close();
});

test("without scripts each failing lock shows a diagram, and other articles show how to draw theirs", async () => {
  const { context, page } = await open({ javaScriptEnabled: false });
  const locks = page.locator("details.lock");
  for (let at = 0; at < await locks.count(); at += 1) {
    const lock = locks.nth(at);
    assert.equal(await lock.locator(".diagram svg").count(), 1, await lock.locator("summary").textContent());
    const [explained, hints] = [await lock.locator("article:has(.causes)").count(), await lock.locator(".undrawn").count()];
    assert.equal(hints, explained - 1);
  }
  assert.match(await page.locator(".undrawn").first().textContent(), /--timeline/);
  await context.close();
});

test("printing expands failures, and collapses them afterwards", async () => {
  const { context, page, trouble } = await open();
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await page.emulateMedia({ media: "print" });
  assert.ok(await page.locator("article.failure code").first().isVisible());
  assert.ok(!await page.locator("#filters").isVisible());
  assert.equal(await page.locator("details.lock:not([open])").count(), 0);
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  assert.equal(await page.locator("details.lock[open]").count(), 0);
  assert.deepEqual(trouble, []);
  await context.close();
});

test("the address keeps filters, sorting and the view", async () => {
  const { context, page } = await open();
  await page.keyboard.press("/");
  await page.keyboard.type("redis-set-px");
  const shown = () => page.locator(".view:visible tr[data-lock]:visible").count();
  const all = await page.locator(".view-harm tr[data-lock]").count();
  assert.ok(await shown() < all || all < 2);
  await page.locator('label[for="view-effect"]').click();
  await page.locator(".view-effect thead tr:last-child button").nth(2).click();
  const address = await page.evaluate(() => location.hash);
  const sorted = await page.locator(".view-effect tbody th").allTextContents();
  const again = await open({ fragment: address });
  assert.equal(await again.page.inputValue("#filter-lock"), "redis-set-px");
  assert.ok(await again.page.locator(".view-effect table").isVisible());
  assert.deepEqual(await again.page.locator(".view-effect tbody th").allTextContents(), sorted);
  await context.close();
  await again.context.close();
});

for (const [name, options] of [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: { width: 390, height: 844 } }],
]) {
  test(`axe finds nothing serious: ${name}`, async () => {
    const { context, page, trouble } = await open(options);
    await page.evaluate(() => { document.querySelector("details.lock:has(.diagram)")?.setAttribute("open", ""); });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    const serious = violations.filter((violation) => ["serious", "critical"].includes(violation.impact));
    const messages = serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join("\n  ")}`);
    assert.deepEqual(messages, []);
    assert.deepEqual(trouble, []);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than its window`);
    await context.close();
  });
}

test("the theme button overrides the system's theme", async () => {
  const { context, page } = await open({ colorScheme: "light" });
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await page.getByRole("button", { name: "Dark or light" }).click();
  assert.notEqual(await background(), light);
  await context.close();
});
