// Names and texts that would run if a page took them for markup (API10, XSS): every text of the fixture's answers gets one.
export const PAYLOAD = `"'><img src=x onerror="window.ran=1"><svg onload="window.ran=1"><script>window.ran=1</script>{{constructor}}`
const TEXTS =
  /(^|_)(name|title|text|note|reason|person|item|subject|message|detail|evidence|actor|error|unit|clause|address|agent)$/

/** Every text a person could have written, with something hostile behind it; codes, kinds and times stay as they are. */
export const hostile = (data) =>
  JSON.parse(JSON.stringify(data), (key, value) =>
    typeof value === 'string' && TEXTS.test(key) ? value + PAYLOAD : value,
  )
