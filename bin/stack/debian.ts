import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, isExecutable, isRoot, onPath, run } from "./tools.ts";

/**
 * A program of a Debian package: the one on PATH, else from the package unpacked into the user's cache. Never installed:
 * that would take root, and start a system service. Throws where there is no apt, no such package or no way to it.
 */
export async function debianProgram(stackDir: string, packageName: string, program: string): Promise<string> {
  const installed = onPath(program);
  if (installed) return installed;
  const cache = cacheDir(join(stackDir, "bin"));
  const home = join(cache, "debian", packageName);
  const binary = join(home, "usr", "bin", program);
  if (isExecutable(binary)) return binary;
  if (!onPath("apt-get") || !onPath("dpkg-deb")) throw new Error(`there is no ${program} on PATH, and no apt`);
  mkdirSync(join(cache, "debian"), { recursive: true });
  const work = mkdtempSync(join(cache, "fetch-"));
  try {
    const download = () => run("apt-get", ["download", packageName], {}, { cwd: work });
    try {
      await download();
    } catch (error) {
      // A fresh machine has no package lists yet, and only root may fetch them.
      if (!isRoot) throw error;
      await run("apt-get", ["update"]);
      await download();
    }
    const archive = readdirSync(work).find((name) => name.endsWith(".deb"));
    if (!archive) throw new Error(`apt brought no ${packageName}`);
    const unpacked = join(work, "unpacked");
    await run("dpkg-deb", ["-x", join(work, archive), unpacked]);
    if (!isExecutable(join(unpacked, "usr", "bin", program))) throw new Error(`${archive} holds no ${program}`);
    // Two that fetch at once both succeed: the second finds the first one's.
    if (!existsSync(home)) renameSync(unpacked, home);
    return binary;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Debian's Alertmanager reads its templates from here and nowhere else. */
const templates = "/usr/share/prometheus/alertmanager";

/** Alertmanager, with the two templates that Debian's build cannot do without: as root they are put where it wants them. */
export async function alertmanagerProgram(stackDir: string): Promise<string> {
  const binary = await debianProgram(stackDir, "prometheus-alertmanager", "prometheus-alertmanager");
  if (existsSync(join(templates, "default.tmpl"))) return binary;
  const unpacked = join(binary, "..", "..", "share", "prometheus", "alertmanager");
  if (!isRoot || !existsSync(unpacked))
    throw new Error(`it wants its templates in ${templates}, where root may put them`);
  for (const name of ["default.tmpl", "email.tmpl"]) cpSync(join(unpacked, name), join(templates, name));
  return binary;
}
