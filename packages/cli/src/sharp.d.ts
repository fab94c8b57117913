/** What is used of sharp. Types of its own would need its binaries of every platform beside them. */
declare module 'sharp' {
  interface Sharp {
    png(options?: { compressionLevel?: number }): Sharp;
    jpeg(options?: { quality?: number }): Sharp;
    resize(width: number, height: number, options?: { fit?: 'fill' }): Sharp;
    raw(): Sharp;
    toBuffer(): Promise<Buffer>;
  }
  interface Raw {
    readonly raw: { readonly width: number; readonly height: number; readonly channels: 3 };
  }
  function sharp(input: Uint8Array, options?: Raw): Sharp;
  export = sharp;
}
