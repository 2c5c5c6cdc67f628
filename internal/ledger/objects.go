package ledger

import (
	"context"
	"errors"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Listed is a name with the versions that have a register.
type Listed struct {
	Name     string
	versions []manifest.Version // ascending
	partial  bool               // there are lower ones; the first is a release
	Err      error              // an *UnreadableError: not all its versions can be listed
}

// Objects yields the objects that have a register. Of one with thousands of
// versions, it lists the highest ones only.
func (l *Ledger) Objects(ctx context.Context, prefix string, yield func(Listed, error) bool) {
	lister := &objectLister{yield: yield}
	for again := true; again; {
		again = false
		for info, err := range l.Store.List(ctx, manifest.ObjectsPrefix+store.Escape(prefix), lister.after) {
			if err = ListingError(err); IsUnreadable(err) {
				if lister.unreadable(err); lister.stopped {
					break
				}
				continue
			}
			if err != nil {
				yield(Listed{}, err)
				return
			}
			if again = lister.key(info.Key); again || lister.stopped {
				break
			}
		}
		if !again && lister.jumped != "" { // to the end
			again = lister.goBack()
		}
	}
	if !lister.stopped {
		lister.finish()
	}
}

// objectLister makes objects of a listing of keys.
type objectLister struct {
	yield   func(Listed, error) bool
	stopped bool // yield has had enough
	o       Listed

	after     string // where the listing is to go on
	milestone struct {
		name, key string // the newest milestone of an object,
		version   manifest.Version
		passed    int // and how many of its keys have gone by
	}
	jumped string // the key that should come next: that which the milestone speaks of
}

// finish yields the object that the keys were of.
func (l *objectLister) finish() {
	if l.o.Name != "" && !l.yield(l.o, nil) {
		l.stopped = true
	}
	l.o = Listed{}
}

// unreadable takes in that part of an object cannot be read, or of all. Which
// of its versions is the latest cannot be told then.
func (l *objectLister) unreadable(err error) {
	bad := (*fault.UnreadableError)(nil)
	if errors.As(err, &bad); bad == nil || bad.Ref == "" {
		l.stopped = !l.yield(Listed{}, err)
		return
	}
	if l.o.Name != bad.Ref {
		if l.finish(); l.stopped {
			return
		}
		l.o.Name = bad.Ref
	}
	l.o.Err = err
	l.jumped = ""
}

// key takes in a key, and reports whether the listing is to go on elsewhere.
func (l *objectLister) key(key string) (jump bool) {
	if l.jumped != "" {
		if key != l.jumped {
			return l.goBack()
		}
		l.jumped = ""
	}
	if name, v, err := manifest.ParseMilestoneKey(key); err == nil {
		if name != l.milestone.name {
			l.milestone.name, l.milestone.key, l.milestone.version, l.milestone.passed = name, key, v, 0
		}
		return l.pass(name)
	}
	name, v, err := manifest.ParseVersionRegisterKey(key)
	if err != nil {
		return false // not ours; verify tells
	}
	if name != l.o.Name {
		if l.finish(); l.stopped {
			return false
		}
		l.o = Listed{Name: name, partial: name == l.milestone.name && l.milestone.passed == knob.JumpAfter}
	}
	l.o.versions = append(l.o.versions, v)
	return v.Compare(l.milestone.version) < 0 && l.pass(name)
}

// pass counts a key of an object, and jumps if there have been many.
func (l *objectLister) pass(name string) (jump bool) {
	if name != l.milestone.name || l.milestone.passed >= knob.JumpAfter {
		return false
	}
	if l.milestone.passed++; l.milestone.passed < knob.JumpAfter {
		return false
	}
	l.jumped = manifest.VersionKey(name, l.milestone.version)
	l.after = before(l.jumped)
	if l.o.Name == name {
		l.o.versions, l.o.partial = nil, true
	}
	return true
}

// stay goes back to the milestone, for there is not what it has promised.
func (l *objectLister) goBack() (jump bool) {
	l.jumped, l.after, l.milestone.passed = "", l.milestone.key, knob.JumpAfter+1
	if l.o.Name == l.milestone.name {
		l.o = Listed{Name: l.o.Name}
	}
	return true
}
