// Runs a Python file on the CPython of Pyodide, which is a later one than that of the machine.
//
// usage: node later_python.mjs PYODIDE SITE_PACKAGES TESTS OUT FILE [ARGUMENT]...
//
// The file is one of the folder TESTS; it finds its arguments in `sys.argv`, and OUT as its working
// folder.

import { pathToFileURL } from "node:url";
import path from "node:path";

const [pyodide, site, tests, out, file, ...args] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(path.join(pyodide, "pyodide.mjs")));
const python = await loadPyodide({ indexURL: pyodide + path.sep, args: [file, ...args] });
for (const [name, folder] of [["/site", site], ["/tests", tests], ["/out", out]]) {
  python.FS.mkdirTree(name);
  python.mountNodeFS(name, folder);
}
try {
  python.runPython(`
import os, runpy, sys
sys.dont_write_bytecode = True
sys.path += ["/site", os.path.dirname("/tests/${file}")]
sys.argv = ${JSON.stringify([file, ...args])}
os.chdir("/out")
runpy.run_path("/tests/${file}", run_name="__main__")
`);
} catch (error) {
  console.error(String(error.message ?? error));
  process.exitCode = 1;
}
