package filestore

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// mountRefusal returns an error if a compare-and-swap in dir cannot be
// trusted: some mounts accept flock and lock nothing, or do not lock for other
// machines.
func mountRefusal(dir string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil // no /proc: accept the mount
	}
	defer f.Close()
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return findMount(f, dir).refusal()
}

// mount is a line of /proc/self/mountinfo, with the fields that matter here.
type mount struct {
	point, fstype, source, options string
}

// findMount returns the mount that dir is on: the one with the longest mount
// point above dir. Of several mounts at one point it is the last, which hides
// the others.
// https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
func findMount(mountinfo io.Reader, dir string) mount {
	var best mount
	lines := bufio.NewScanner(mountinfo)
	lines.Buffer(nil, 1<<20) // overlays list all their layers
	for lines.Scan() {
		// 36 35 98:0 /root /mount/point rw,noatime shared:1 - ext3 /dev/root rw
		before, after, ok := strings.Cut(lines.Text(), " - ")
		a, b := strings.Fields(before), strings.Split(after, " ")
		if !ok || len(a) < 6 || len(b) < 3 {
			continue
		}
		point := unescapeMount(a[4])
		if len(point) >= len(best.point) && (dir == point || strings.HasPrefix(dir, strings.TrimSuffix(point, "/")+"/")) {
			best = mount{point, b[0], unescapeMount(b[1]), a[5] + "," + b[2]}
		}
	}
	return best
}

func (m mount) refusal() error {
	const remedy = "; saving works, but tags, locks and deletions need a mount whose file locks work"
	local := func(why string) error {
		return fmt.Errorf("file store: %s is a mount of type %s%s, where file locks do not reach other machines%s", m.point, m.fstype, why, remedy)
	}
	switch m.fstype {
	case "nfs", "nfs4":
		return m.refuseOptions(local, "nolock", "local_lock=all", "local_lock=flock")
	case "cifs", "smb3":
		return m.refuseOptions(local, "nobrl", "nolock")
	case "lustre":
		return m.refuseOptions(local, "localflock")
	}
	// For a FUSE driver without locks, the kernel locks within this machine
	// only. Some drivers appear in the type, some in the source.
	driver, ok := strings.CutPrefix(m.fstype, "fuse.")
	if m.fstype == "fuse" {
		driver, ok = m.source, true
	}
	if !ok {
		return nil
	}
	switch driver {
	case "s3fs", "gcsfuse", "goofys", "geesefs", "rclone", "mount-s3", "mountpoint-s3", "blobfuse", "blobfuse2":
		return fmt.Errorf("file store: %s is a %s mount, which has no file locks; use the bucket's own URL (s3://, gs://) instead", m.point, driver)
	case "sshfs":
		return local("")
	}
	return nil
}

func (m mount) refuseOptions(refuse func(why string) error, bad ...string) error {
	for o := range strings.SplitSeq(m.options, ",") {
		for _, b := range bad {
			if o == b {
				return refuse(" with " + o)
			}
		}
	}
	return nil
}

// unescapeMount undoes the octal escapes that the kernel writes for blanks.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
