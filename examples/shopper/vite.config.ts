import { defineConfig } from "vite";

// The page is static: any server of files serves what is built.
export default defineConfig({
  root: import.meta.dirname,
  build: { target: "es2023", outDir: "dist", emptyOutDir: true },
});
