package filestore

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mountRefusal tells why a compare-and-swap in dir cannot be trusted: some
// mounts accept flock and lock nothing, or lock nothing for other machines.
func mountRefusal(dir string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil // not Linux's usual /proc: nothing known against it
	}
	defer f.Close()
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	var best, fstype, options string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// 36 35 98:0 /root /mount/point rw,noatime shared:1 - ext3 /dev/root rw
		before, after, ok := strings.Cut(lines.Text(), " - ")
		a, b := strings.Fields(before), strings.Fields(after)
		if !ok || len(a) < 6 || len(b) < 3 {
			continue
		}
		point := unescapeMount(a[4])
		if len(point) >= len(best) && (dir == point || strings.HasPrefix(dir, strings.TrimSuffix(point, "/")+"/")) {
			best, fstype, options = point, b[0], a[5]+","+b[2]
		}
	}
	return refusal(best, fstype, options)
}

func refusal(point, fstype, options string) error {
	const remedy = "; saving works, but tags, locks and deletions need a mount whose file locks work"
	switch fstype {
	case "nfs", "nfs4":
		for o := range strings.SplitSeq(options, ",") {
			if o == "nolock" || o == "local_lock=all" || o == "local_lock=flock" {
				return fmt.Errorf("file store: %s is an NFS mount with %s, where file locks do not reach other machines%s", point, o, remedy)
			}
		}
	case "fuse.s3fs", "fuse.gcsfuse", "fuse.goofys", "fuse.rclone", "fuse.mount-s3", "fuse.blobfuse2":
		return fmt.Errorf("file store: %s is a %s mount, which has no file locks; use the bucket's own URL (s3://, gs://) instead", point, fstype)
	}
	return nil
}

// unescapeMount undoes the octal escapes that the kernel writes for blanks.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
