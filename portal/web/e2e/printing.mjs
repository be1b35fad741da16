// What comes out of the printer (F2.4, F2.1): the one-screen view of a plant and its file, as PDF on A4, read back with poppler.
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { logIn, open, settle, SHOTS } from './browser.mjs'

const run = promisify(execFile)
const PLANT = '320505030001'
const A4 = [842, 595] // points, lying
const MARGIN = 20 // points: nothing is printed nearer to the edge than a printer reaches
const PAPERS = [
  {
    name: 'plant-screen',
    path: `/enterprises/${PLANT}/screen`,
    pages: 1,
    parts: ['除尘器运行状态', '设备', '报警与处置', '预警与反馈', '清扫打卡', '视频', PLANT, '打印'],
    gone: ['打印 / 存为 PDF', '态势总览'],
  },
  { name: 'plant-file', path: `/base/${PLANT}`, pages: 8, parts: [PLANT], gone: ['态势总览'] },
]

/** The words of a PDF with their places, by page. */
async function wordsOf(file) {
  const { stdout } = await run('pdftotext', ['-bbox', file, '-'], { maxBuffer: 1 << 26 })
  return stdout
    .split('<page ')
    .slice(1)
    .map((page) => {
      const number = (text, name) => Number(new RegExp(`${name}="([\\d.-]+)"`).exec(text)?.[1])
      const words = [...page.matchAll(/<word ([^>]*)>([^<]*)</g)].map(([, at, text]) => ({
        text,
        left: number(at, 'xMin'),
        right: number(at, 'xMax'),
        top: number(at, 'yMin'),
        bottom: number(at, 'yMax'),
      }))
      return { width: number(page, 'width'), height: number(page, 'height'), words }
    })
}

async function print(page, base, paper, complaints) {
  const wrong = (what) => complaints.push(`${paper.path} on paper: ${what}`)
  await page.goto(base + paper.path)
  await settle(page)
  const file = `${SHOTS}print-${paper.name}.pdf`
  await writeFile(file, await page.pdf({ preferCSSPageSize: true, printBackground: true }))
  const pages = await wordsOf(file)
  const { stdout } = await run('pdftotext', ['-layout', file, '-'])
  const text = stdout.replace(/\s/g, '')
  for (const part of paper.parts) if (!text.includes(part.replace(/\s/g, ''))) wrong(`${part} is missing`)
  for (const part of paper.gone) if (text.includes(part.replace(/\s/g, ''))) wrong(`${part} is of use on a screen only`)
  if (pages.length > paper.pages) wrong(`${pages.length} pages, wanted ${paper.pages}`)
  for (const { width, height, words } of pages) {
    const size = [width, height].map(Math.round).sort((a, b) => b - a)
    if (Math.abs(size[0] - A4[0]) > 1 || Math.abs(size[1] - A4[1]) > 1) wrong(`the paper is ${size.join(' x ')}`)
    const out = words.find((w) => {
      const quarter = (w.bottom - w.top) / 4 // boxes of this font are about twice as high as its signs
      return (
        w.left < MARGIN || w.right > width - MARGIN || w.top + quarter < MARGIN || w.bottom - quarter > height - MARGIN
      )
    })
    if (out) wrong(`"${out.text}" is cut off or in the margin`)
  }
}

export async function printing(browser, site, complaints) {
  const base = await site.listen('regulator')
  const page = await open(browser, 'desk', complaints)
  await logIn(page, base, 'ji01', 'fixture')
  for (const paper of PAPERS) await print(page, base, paper, complaints)
  await page.context().close()
}
