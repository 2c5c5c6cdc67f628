package filestore

import (
	"os"
	"strings"
	"testing"
)

const mountinfo = `22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
23 22 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
28 22 0:25 / /run rw,nosuid,nodev,noexec,relatime shared:5 - tmpfs tmpfs rw,size=1610600k,mode=755
36 22 259:4 / /data rw,noatime shared:30 master:2 propagate_from:1 - xfs /dev/nvme1n1 rw,attr2,inode64,noquota
90 22 0:51 / /mnt/three rw,relatime shared:40 - nfs filer:/vol/three rw,vers=3,rsize=65536,hard,proto=tcp,timeo=600,mountaddr=10.0.0.1,local_lock=none,addr=10.0.0.1
91 22 0:52 / /mnt/three-nolock rw,relatime shared:41 - nfs filer:/vol/three rw,vers=3,hard,nolock,proto=tcp,local_lock=all,addr=10.0.0.1
92 22 0:53 / /mnt/three-local rw,relatime shared:42 - nfs filer:/vol/three rw,vers=3,hard,proto=tcp,local_lock=flock,addr=10.0.0.1
93 22 0:54 / /mnt/three-posix rw,relatime shared:43 - nfs filer:/vol/three rw,vers=3,hard,proto=tcp,local_lock=posix,addr=10.0.0.1
94 22 0:55 / /mnt/four rw,relatime shared:44 - nfs4 filer:/vol/four rw,vers=4.2,hard,proto=tcp,sec=sys,clientaddr=10.0.0.2,local_lock=none,addr=10.0.0.1
95 22 0:56 / /mnt/bucket rw,nosuid,nodev,relatime shared:45 - fuse.s3fs s3fs rw,user_id=0,group_id=0,allow_other
96 22 0:57 / /mnt/mountpoint rw,nosuid,nodev,noatime shared:46 - fuse mountpoint-s3 rw,user_id=1000,group_id=1000,default_permissions
97 22 0:58 / /mnt/blob rw,nosuid,nodev,relatime shared:47 - fuse blobfuse2 rw,user_id=0,group_id=0,allow_other
98 22 0:59 / /mnt/gcs rw,nosuid,nodev,relatime shared:48 - fuse.gcsfuse models rw,user_id=0,group_id=0,default_permissions
99 22 0:60 / /mnt/ssh rw,nosuid,nodev,relatime shared:49 - fuse.sshfs me@host:/srv rw,user_id=1000,group_id=1000
100 22 0:61 / /mnt/juice rw,relatime shared:50 - fuse.juicefs JuiceFS:models rw,user_id=0,group_id=0,default_permissions,allow_other
101 22 0:62 / /mnt/windows rw,relatime shared:51 - cifs //nas/models rw,vers=3.1.1,cache=strict,uid=0,nobrl,soft
102 22 0:63 / /mnt/samba rw,relatime shared:52 - cifs //nas/models rw,vers=3.1.1,cache=strict,uid=0,soft
103 22 0:64 / /mnt/lustre rw,relatime shared:53 - lustre mds@tcp:/scratch rw,flock,lazystatfs
104 22 0:65 / /mnt/lustre-local rw,relatime shared:54 - lustre mds@tcp:/scratch rw,localflock,lazystatfs
105 22 0:66 / /mnt/my\040models rw,relatime shared:55 - fuse.s3fs s3fs rw,user_id=0
106 22 259:4 /deep/inside /srv/bound rw,noatime shared:30 - xfs /dev/nvme1n1 rw,attr2,inode64,noquota
107 91 259:4 /local /mnt/three-nolock/local rw,noatime shared:30 - xfs /dev/nvme1n1 rw,attr2,inode64,noquota
108 22 0:53 /part /srv/bound-local rw,relatime shared:42 - nfs filer:/vol/three rw,vers=3,hard,local_lock=flock,addr=10.0.0.1
109 22 0:67 / /mnt/twice rw,relatime shared:56 - fuse.s3fs s3fs rw
110 109 259:4 / /mnt/twice rw,noatime shared:30 - xfs /dev/nvme1n1 rw
111 22 0:68 / /mnt/nameless rw,relatime shared:57 - fuse  rw,user_id=0
112 22 0:69 / /mnt/dash\040-\040dash rw,relatime - nfs filer:/vol/x rw,vers=3,nolock
not a line of this kind
113 22 0:70 / /mnt/short
`

func TestRefusal(t *testing.T) {
	for dir, want := range map[string]string{
		"/":                         "",
		"/srv/models":               "",
		"/data":                     "",
		"/data/models":              "",
		"/run/models":               "",
		"/mnt/three":                "",
		"/mnt/three/models":         "",
		"/mnt/three-nolock":         "nfs with nolock",
		"/mnt/three-nolock/models":  "nfs with nolock",
		"/mnt/three-nolocks/models": "", // another name that begins alike
		"/mnt/three-nolock/local":   "", // the longest mount point wins
		"/mnt/three-nolock/local/x": "",
		"/mnt/three-local/models":   "nfs with local_lock=flock",
		"/mnt/three-posix/models":   "", // that leaves flock alone
		"/mnt/four/models":          "",
		"/mnt/bucket/models":        "s3fs mount",
		"/mnt/mountpoint":           "mountpoint-s3 mount",
		"/mnt/blob/models":          "blobfuse2 mount",
		"/mnt/gcs/models":           "gcsfuse mount",
		"/mnt/ssh/models":           "fuse.sshfs",
		"/mnt/juice/models":         "",
		"/mnt/windows/models":       "cifs with nobrl",
		"/mnt/samba/models":         "",
		"/mnt/lustre/models":        "",
		"/mnt/lustre-local/models":  "lustre with localflock",
		"/mnt/my models/a":          "/mnt/my models is a s3fs mount",
		"/mnt/my":                   "",
		"/srv/bound/models":         "", // bind mounts
		"/srv/bound-local/models":   "nfs with local_lock=flock",
		"/mnt/twice/models":         "", // the later mount hides the earlier
		"/mnt/nameless/models":      "",
		"/mnt/dash - dash/models":   "nfs with nolock",
	} {
		err := findMount(strings.NewReader(mountinfo), dir).refusal()
		switch {
		case want == "" && err != nil:
			t.Errorf("%s is refused: %v", dir, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want a refusal that says %q", dir, err, want)
		}
	}
	// The same file with its lines in another order of mounting.
	lines := strings.SplitAfter(mountinfo, "\n")
	var turned strings.Builder
	for i := range lines {
		turned.WriteString(lines[len(lines)-1-i])
	}
	if err := findMount(strings.NewReader(turned.String()), "/mnt/three-nolock/local/x").refusal(); err != nil {
		t.Errorf("the longest mount point wins only where it comes last: %v", err)
	}
	if err := findMount(strings.NewReader(turned.String()), "/mnt/bucket/models").refusal(); err == nil {
		t.Error("the last mount point wins over the longest")
	}
}

// An overlay lists all its layers in one line.
func TestLongMountLines(t *testing.T) {
	long := "200 22 0:70 / /var/lib/x rw - overlay overlay rw,lowerdir=" + strings.Repeat("/layer:", 20_000) + "\n"
	if err := findMount(strings.NewReader(long+mountinfo), "/mnt/bucket").refusal(); err == nil {
		t.Error("what comes after a long line is not read")
	}
}

func TestUnescapeMount(t *testing.T) {
	for escaped, want := range map[string]string{
		`/plain`: "/plain", `/a\040b`: "/a b", `/a\011b`: "/a\tb", `/a\012b`: "/a\nb", `/a\134b`: `/a\b`,
		`/a\134040b`: `/a\040b`, // a backslash and digits, not a blank
		`/\040\040`:  "/  ",
	} {
		if got := unescapeMount(escaped); got != want {
			t.Errorf("%s is %q, want %q", escaped, got, want)
		}
	}
}

// This machine's own: the root has some file system, and temporary
// directories take replacements.
func TestMountsOfThisMachine(t *testing.T) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	if m := findMount(f, "/"); m.point != "/" || m.fstype == "" {
		t.Errorf("the mount of the root is %+v", m)
	}
	if err := mountRefusal(t.TempDir()); err != nil {
		t.Error(err)
	}
}

// A mount without locks refuses replacements, and only these.
func TestRefusedMount(t *testing.T) {
	s := open(t, t.TempDir())
	info := put(t, s, "k", "1", "")
	refusal := findMount(strings.NewReader(mountinfo), "/mnt/bucket").refusal()
	s.cas.known, s.cas.err = true, refusal
	put(t, s, "k2", "1", "")
	if _, err := s.Put(t.Context(), "k", []byte("2"), info.Token); err != refusal {
		t.Errorf("a replacement: got %v, want %v", err, refusal)
	}
	if body, _ := get(t, s, "k"); body != "1" {
		t.Errorf("the state is %q", body)
	}
}
