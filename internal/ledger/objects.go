package ledger

import (
	"context"
	"errors"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// Listed is an object of a listing: a name, and versions that have a register.
type Listed struct {
	Name     string
	versions []manifest.Version // ascending
	partial  bool               // lower versions exist too, and versions[0] is a release
	Err      error              // an *UnreadableError: some of its versions cannot be listed
}

// Objects yields the objects whose names start with prefix and that have
// a register. Of an object with thousands of versions it lists the highest only.
// After an error it goes on if the error is an *UnreadableError, and ends
// otherwise.
func (l *Ledger) Objects(ctx context.Context, prefix string, yield func(Listed, error) bool) {
	lister := &objectLister{yield: yield, jumpAfter: l.Knobs.JumpAfter}
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
		if !again && lister.jumped != "" { // the listing ended after the jump
			again = lister.goBack()
		}
	}
	if !lister.stopped {
		lister.finish()
	}
}

// objectLister makes objects of a listing of keys. All keys of one object are
// next to each other, milestones first, the newest milestone before the others.
// After jumpAfter keys of one object, the lister starts the listing anew at
// the register that its newest milestone names: it jumps. If that register does
// not come next, the milestone was wrong, and the lister goes back.
type objectLister struct {
	yield   func(Listed, error) bool
	stopped bool   // yield returned false
	o       Listed // the object that the last keys are of

	after     string // the key after which the next listing starts
	milestone struct {
		name, key string           // of the last object that has one, and its newest milestone
		version   manifest.Version // that the milestone names
		passed    int              // keys of that object that have been listed
	}
	jumped    string // after a jump: the key that has to come next; "" otherwise
	jumpAfter int    // see knob.Knobs
}

// finish yields the object that the last keys were of.
func (l *objectLister) finish() {
	if l.o.Name != "" && !l.yield(l.o, nil) {
		l.stopped = true
	}
	l.o = Listed{}
}

// unreadable records that a part of an object cannot be listed; its latest
// version is unknown then. If err is about no single object, it yields err.
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

// key takes in the next key. It reports whether to start another listing, at
// l.after.
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
		return false // not a key of a registry; verify reports it
	}
	if name != l.o.Name {
		if l.finish(); l.stopped {
			return false
		}
		l.o = Listed{Name: name, partial: name == l.milestone.name && l.milestone.passed == l.jumpAfter}
	}
	l.o.versions = append(l.o.versions, v)
	return v.Compare(l.milestone.version) < 0 && l.pass(name)
}

// pass counts a key of an object, and jumps if it has had many.
func (l *objectLister) pass(name string) (jump bool) {
	if name != l.milestone.name || l.milestone.passed >= l.jumpAfter {
		return false
	}
	if l.milestone.passed++; l.milestone.passed < l.jumpAfter {
		return false
	}
	l.jumped = manifest.VersionKey(name, l.milestone.version)
	l.after = before(l.jumped)
	if l.o.Name == name {
		l.o.versions, l.o.partial = nil, true
	}
	return true
}

// goBack continues the listing at the milestone, without a jump: the register that
// the milestone names does not exist.
func (l *objectLister) goBack() (jump bool) {
	l.jumped, l.after, l.milestone.passed = "", l.milestone.key, l.jumpAfter+1
	if l.o.Name == l.milestone.name {
		l.o = Listed{Name: l.o.Name}
	}
	return true
}
