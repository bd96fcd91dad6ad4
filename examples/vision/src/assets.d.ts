/** What the bundler makes of a picture: its address. */
declare module '*.png' {
  const address: string
  export default address
}
