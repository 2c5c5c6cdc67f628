package registry

import (
	"context"
	"errors"

	"github.com/mindtrace/registry/internal/knob"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// object is a name with the versions that have a register.
type object struct {
	name     string
	versions []Version // ascending
	partial  bool      // there are lower ones; the first is a release
	err      error     // an *UnreadableError: not all its versions can be listed
}

// objects yields the objects that have a register. Of one with thousands of
// versions, it lists the highest ones only.
func (r *Registry) objects(ctx context.Context, prefix string, yield func(object, error) bool) {
	lister := &objectLister{yield: yield}
	for again := true; again; {
		again = false
		for info, err := range r.st.List(ctx, manifest.ObjectsPrefix+store.Escape(prefix), lister.after) {
			if err = listError(err); unreadable(err) {
				if lister.unreadable(err); lister.stopped {
					break
				}
				continue
			}
			if err != nil {
				yield(object{}, err)
				return
			}
			if again = lister.key(info.Key); again || lister.stopped {
				break
			}
		}
		if !again && lister.jumped != "" { // to the end
			again = lister.stay()
		}
	}
	if !lister.stopped {
		lister.finish()
	}
}

// objectLister makes objects of a listing of keys.
type objectLister struct {
	yield   func(object, error) bool
	stopped bool // yield has had enough
	o       object

	after string // where the listing is to go on
	first struct {
		name, key string // the newest milestone of an object,
		version   Version
		passed    int // and how many of its keys have gone by
	}
	jumped string // the key that should come next: that which the milestone speaks of
}

// finish yields the object that the keys were of.
func (l *objectLister) finish() {
	if l.o.name != "" && !l.yield(l.o, nil) {
		l.stopped = true
	}
	l.o = object{}
}

// unreadable takes in that part of an object cannot be read, or of all. Which
// of its versions is the latest cannot be told then.
func (l *objectLister) unreadable(err error) {
	bad := (*UnreadableError)(nil)
	if errors.As(err, &bad); bad == nil || bad.Ref == "" {
		l.stopped = !l.yield(object{}, err)
		return
	}
	if l.o.name != bad.Ref {
		if l.finish(); l.stopped {
			return
		}
		l.o.name = bad.Ref
	}
	l.o.err = err
	l.jumped = ""
}

// key takes in a key, and reports whether the listing is to go on elsewhere.
func (l *objectLister) key(key string) (jump bool) {
	if l.jumped != "" {
		if key != l.jumped {
			return l.stay()
		}
		l.jumped = ""
	}
	if name, v, err := manifest.ParseMilestoneKey(key); err == nil {
		if name != l.first.name {
			l.first.name, l.first.key, l.first.version, l.first.passed = name, key, v, 0
		}
		return l.pass(name)
	}
	name, v, err := manifest.ParseVersionRegisterKey(key)
	if err != nil {
		return false // not ours; verify tells
	}
	if name != l.o.name {
		if l.finish(); l.stopped {
			return false
		}
		l.o = object{name: name, partial: name == l.first.name && l.first.passed == knob.JumpAfter}
	}
	l.o.versions = append(l.o.versions, v)
	return v.Compare(l.first.version) < 0 && l.pass(name)
}

// pass counts a key of an object, and jumps if there have been many.
func (l *objectLister) pass(name string) (jump bool) {
	if name != l.first.name || l.first.passed >= knob.JumpAfter {
		return false
	}
	if l.first.passed++; l.first.passed < knob.JumpAfter {
		return false
	}
	l.jumped = manifest.VersionKey(name, l.first.version)
	l.after = before(l.jumped)
	if l.o.name == name {
		l.o.versions, l.o.partial = nil, true
	}
	return true
}

// stay goes back to the milestone, for there is not what it has promised.
func (l *objectLister) stay() (jump bool) {
	l.jumped, l.after, l.first.passed = "", l.first.key, knob.JumpAfter+1
	if l.o.name == l.first.name {
		l.o = object{name: l.o.name}
	}
	return true
}
