// A report in a browser: `npm test`, with REPORT as the path of a report.html.

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

/** Opens the report; whatever the page says to the console or asks of a network ends up in `trouble`. */
async function open({ fragment = "", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const trouble = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) trouble.push(message.text());
  });
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) trouble.push(`asked for ${request.url()}`);
  });
  await page.goto(url + fragment);
  return { context, page, trouble };
}

test("nothing is said to the console, and nothing asked of a network", async () => {
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
  const wanted = ["Use cases", "Requirements", "Comparison", "Oversell", "What safety costs", "Failures", "How it was measured"];
  assert.deepEqual(headings.filter((heading) => wanted.includes(heading)), wanted);
  assert.ok(await page.locator(".view-harm table").isVisible());
  await page.locator('label[for="view-lost"]').click();
  assert.ok(await page.locator(".view-lost table").isVisible());
  assert.deepEqual(trouble, []);
  await context.close();
});

test("the keyboard leads from the matrix to the diagram and the command, and back", async () => {
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

test("some counterexample is drawn", async () => {
  const { context, page } = await open();
  assert.ok(await page.locator("article.failure .diagram svg").count() > 0);
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
    const told = serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join("\n  ")}`);
    assert.deepEqual(told, []);
    assert.deepEqual(trouble, []);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than its window`);
    await context.close();
  });
}

test("the theme can be chosen against the system's", async () => {
  const { context, page } = await open({ colorScheme: "light" });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await page.getByRole("button", { name: "Dark or light" }).click();
  assert.notEqual(await ground(), light);
  await context.close();
});
