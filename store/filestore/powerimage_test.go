package filestore

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mindtrace/registry/store"
)

// Image is what the disk may hold after a power failure. The model is the
// weakest that POSIX allows: a name is there for certain once its directory was
// flushed, the bytes and the time of a file once the file was. Of what was
// not, any part may be there, whatever the order in which it was done. What an
// ordered journal (ext4, XFS) leaves is among it.
type Image struct {
	Moment int // how many events had happened

	d       *Disk
	kept    []int // events after the flush of their inode that it holds
	covered map[int]int
	names   map[int]map[string]*inode
	styles  map[int]style // of files that are not flushed; others are whole
}

// style is what has become of the bytes of a file since its last flush.
type style int

const (
	whole    style = iota
	lost           // nothing of it
	begun          // the first half of the writes
	torn           // half of the last write, and no time
	zeros          // the size is right
	hole           // all but the first write
	timeless       // all but the time
	styles
)

var styleNames = [styles]string{"whole", "lost", "begun", "torn", "zeros", "hole", "timeless"}

// few is of how many names that are not flushed all combinations are tried.
const few = 4

// Images yields what the disk may hold after a power failure at each moment
// since the event from: all, where few changes are not flushed, and else the
// orderly ones, those that differ by one change from nothing or all, and random
// ones. None comes twice, unless there is a Mark between.
func (d *Disk) Images(rng *rand.Rand, from, random int) iter.Seq[*Image] {
	return func(yield func(*Image) bool) {
		seen, marks := map[string]bool{}, 0
		for moment := from; moment <= len(d.events); moment++ {
			if moment > 0 && d.events[moment-1].kind == evMark {
				clear(seen)
				marks++
			}
			for im := range d.at(rng, moment, random) {
				sig := im.signature()
				if seen[sig] {
					continue
				}
				seen[sig] = true
				if !yield(im) {
					return
				}
			}
		}
	}
}

// at yields images of one moment, some of them twice.
func (d *Disk) at(rng *rand.Rand, moment, random int) iter.Seq[*Image] {
	covered := d.coveredBy(moment)
	var names, temps []int
	for i, e := range d.events[:moment] {
		if e.kind == evName && i >= covered[e.node.id] {
			if strings.HasPrefix(e.name, ".") {
				temps = append(temps, i)
			} else {
				names = append(names, i)
			}
		}
	}
	return func(yield func(*Image) bool) {
		for _, kept := range subsets(rng, names, random) {
			im := &Image{Moment: moment, d: d, covered: covered, kept: kept}
			if rng.IntN(2) == 0 {
				im.kept = append(slices.Clone(kept), temps...)
				slices.Sort(im.kept)
			}
			im.compose()
			loose := im.loose()
			if len(loose) == 0 {
				if !yield(im) {
					return
				}
				continue
			}
			for s := range styles + 2 { // two are random mixtures
				if s >= styles && len(loose) == 1 {
					break
				}
				next := *im
				next.styles = map[int]style{}
				for _, n := range loose {
					if next.styles[n] = s; s >= styles {
						next.styles[n] = style(rng.IntN(int(styles)))
					}
				}
				if !yield(&next) {
					return
				}
			}
		}
	}
}

// subsets returns subsets of events, which are in their order.
func subsets(rng *rand.Rand, all []int, random int) (sets [][]int) {
	pick := func(in func(i int) bool) {
		var set []int
		for i, e := range all {
			if in(i) {
				set = append(set, e)
			}
		}
		sets = append(sets, set)
	}
	n := len(all)
	if n <= few {
		for mask := range 1 << n {
			pick(func(i int) bool { return mask>>i&1 == 1 })
		}
		return sets
	}
	for k := range n + 1 {
		pick(func(i int) bool { return i < k })
	}
	for k := range n {
		pick(func(i int) bool { return i == k })
		pick(func(i int) bool { return i != k })
	}
	for range random {
		pick(func(int) bool { return rng.IntN(2) == 0 })
	}
	return sets
}

// compose finds the names in every directory.
func (im *Image) compose() {
	im.names = map[int]map[string]*inode{}
	for _, n := range im.d.inodes {
		if n.names != nil {
			im.names[n.id] = map[string]*inode{}
			for name, child := range n.first {
				im.names[n.id][name] = child
			}
		}
	}
	for i, e := range im.d.events[:im.Moment] {
		if e.kind != evName || i >= im.covered[e.node.id] && !slices.Contains(im.kept, i) {
			continue
		}
		if e.child == nil {
			delete(im.names[e.node.id], e.name)
		} else {
			im.names[e.node.id][e.name] = e.child
		}
	}
}

// walk visits what has a name, directories before what is in them.
func (im *Image) walk(visit func(path string, n *inode)) {
	var down func(path string, n *inode)
	down = func(path string, n *inode) {
		names := make([]string, 0, len(im.names[n.id]))
		for name := range im.names[n.id] {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			child := im.names[n.id][name]
			at := filepath.Join(path, name)
			visit(at, child)
			if child.names != nil {
				down(at, child)
			}
		}
	}
	down("", im.d.root)
}

// loose returns the files that are visible and not flushed.
func (im *Image) loose() (loose []int) {
	im.walk(func(path string, n *inode) {
		if n.names == nil && !strings.HasPrefix(filepath.Base(path), ".") && !slices.Contains(loose, n.id) && im.unflushed(n) {
			loose = append(loose, n.id)
		}
	})
	return loose
}

func (im *Image) unflushed(n *inode) bool {
	for _, e := range im.d.events[min(im.covered[n.id], im.Moment):im.Moment] {
		if e.node == n && e.kind != evSync {
			return true
		}
	}
	return false
}

// signature tells images apart by what is visible.
func (im *Image) signature() string {
	var b strings.Builder
	im.walk(func(path string, n *inode) {
		if !strings.HasPrefix(filepath.Base(path), ".") {
			fmt.Fprintf(&b, "%s %d %d\n", path, n.id, im.styles[n.id])
		}
	})
	return b.String()
}

// String tells what has been lost.
func (im *Image) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "power is lost after %d of %d events", im.Moment, len(im.d.events))
	for i, e := range im.d.events[:im.Moment] {
		if e.kind == evName && i >= im.covered[e.node.id] && !slices.Contains(im.kept, i) {
			what := "the name"
			if e.child == nil {
				what = "the removal of"
			}
			fmt.Fprintf(&b, "\n\tlost: %s %s", what, im.d.pathOf(e.node, e.name))
		}
	}
	for id, s := range im.styles {
		fmt.Fprintf(&b, "\n\t%s: a file of %d bytes", styleNames[s], len(im.d.inodes[id].last.bytes))
	}
	return b.String()
}

func (d *Disk) pathOf(dir *inode, name string) string {
	for ; dir != d.root; dir = dir.up {
		name = dir.as + "/" + name
	}
	return name
}

// content returns what a file holds.
func (im *Image) content(n *inode) content {
	var flushed, rest, writes []event
	for i, e := range im.d.events[:im.Moment] {
		switch {
		case e.node != n || e.kind != evWrite && e.kind != evTime:
		case i < im.covered[n.id]:
			flushed = append(flushed, e)
		default:
			if rest = append(rest, e); e.kind == evWrite {
				writes = append(writes, e)
			}
		}
	}
	c := n.base
	buf := []byte(c.bytes)
	apply := func(e event) {
		if e.kind == evTime {
			c.time = e.time
			return
		}
		if end := int(e.at) + len(e.data); end > len(buf) {
			buf = append(buf, make([]byte, end-len(buf))...)
		}
		copy(buf[e.at:], e.data)
	}
	blank := func(e event) event { e.data = string(make([]byte, len(e.data))); return e }
	for _, e := range flushed {
		apply(e)
	}
	st := im.styles[n.id]
	switch st {
	case lost:
		rest = nil
	case begun:
		rest = rest[:len(rest)/2]
	case torn:
		rest = slices.Clone(writes)
		if k := len(rest) - 1; k >= 0 {
			rest[k].data = rest[k].data[:len(rest[k].data)/2]
		}
	case timeless:
		rest = writes
	}
	for i, e := range rest {
		if e.kind == evWrite && (st == zeros || st == hole && i == 0) {
			e = blank(e)
		}
		apply(e)
	}
	c.bytes = string(buf)
	if c.time.IsZero() {
		c.time = time.Unix(1, 0)
	}
	return c
}

// A Pool keeps the files of images, to be linked into them.
type Pool struct {
	dir   string
	files map[content]string
}

// NewPool returns a Pool in dir, which images must share a file system with.
func NewPool(dir string) *Pool { return &Pool{dir, map[content]string{}} }

func (p *Pool) file(c content) (string, error) {
	if name, ok := p.files[c]; ok {
		return name, nil
	}
	name := filepath.Join(p.dir, fmt.Sprint(len(p.files)))
	if err := os.WriteFile(name, []byte(c.bytes), 0o666); err != nil {
		return "", err
	}
	p.files[c] = name
	return name, os.Chtimes(name, time.Time{}, c.time)
}

// Build makes the image in dir.
func (im *Image) Build(p *Pool, dir string) error {
	err := os.Mkdir(dir, 0o777)
	im.walk(func(path string, n *inode) {
		if err != nil {
			return
		}
		if path = filepath.Join(dir, path); n.names != nil {
			err = os.Mkdir(path, 0o777)
			return
		}
		var file string
		if file, err = p.file(im.content(n)); err == nil {
			err = os.Link(file, path)
		}
	})
	return err
}

// Whole reports whether what a store shows under a key, in a directory below
// the disk's, is what was put under that key at some time, all of it.
func (d *Disk) Whole(dir, key string, body []byte, token store.Token) bool {
	if d.put == nil {
		d.put = map[string][]*inode{}
		var down func(path string, n *inode)
		down = func(path string, n *inode) {
			d.put[path] = append(d.put[path], n)
			for name, child := range n.first {
				down(strings.TrimPrefix(path+"/"+name, "/"), child)
			}
		}
		down("", d.root)
		for _, e := range d.events {
			if e.kind == evName && e.child != nil {
				path := d.pathOf(e.node, e.name)
				d.put[path] = append(d.put[path], e.child)
			}
		}
	}
	return slices.ContainsFunc(d.put[dir+"/"+key], func(n *inode) bool {
		return n.names == nil && string(body) == n.last.bytes && tokenOf(n.last.time) == token
	})
}
