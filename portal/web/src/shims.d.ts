// For tools that read .ts files alone; vue-tsc knows each component's real type.
declare module '*.vue' {
  import type { DefineComponent } from 'vue'
  const component: DefineComponent
  export default component
}

declare module '*.json?url' {
  const url: string
  export default url
}
