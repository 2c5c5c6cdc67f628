package fsck

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// list verifies what the keys with a prefix hold.
func (v *verification) list(ctx context.Context, prefix string) error {
	for info, err := range v.l.Store.List(ctx, prefix, "") {
		if bad := (*fault.UnreadableError)(nil); errors.As(ledger.ListingError(err), &bad) {
			v.problem(bad.Key, "", bad)
			v.milestones.hidden(bad.Ref)
			continue
		}
		if err != nil {
			return err
		}
		if err := v.key(ctx, info); err != nil {
			return err
		}
	}
	v.reportMilestones("")
	return nil
}

// key verifies what one key holds.
func (v *verification) key(ctx context.Context, info store.Info) error {
	key := info.Key
	starts := func(prefix string) bool { return strings.HasPrefix(key, prefix) }
	switch {
	case starts(manifest.ObjectsPrefix):
		return v.object(ctx, info)
	case starts(manifest.TagsPrefix("")):
		return v.tag(ctx, key)
	case starts(manifest.LocksPrefix):
		name, id, err := manifest.ParseLockKey(key)
		if err != nil {
			v.stranger(key, err)
			return nil
		}
		return v.register(ctx, key, func(body []byte) error {
			l, err := manifest.DecodeLock(body, name, id != "")
			if err == nil {
				err = l.Last()
			}
			return err
		})
	case starts(manifest.CollectionsPrefix):
		if !manifest.IsCollectionKey(key) {
			v.stranger(key, errStranger)
			return nil
		}
		return v.register(ctx, key, func(body []byte) error {
			_, err := manifest.DecodeCollection(body)
			return err
		})
	case starts(manifest.PacksPrefix):
		if _, err := manifest.ParsePackKey(key); err != nil {
			v.stranger(key, err)
		}
	case starts(manifest.ProbePrefix): // of a probe under way, or one that was killed
	case key == manifest.SettingsKey:
		return v.register(ctx, key, func(body []byte) error {
			s, err := manifest.DecodeSettings(body)
			if err == nil && s.ID != v.l.Settings.ID {
				err = fmt.Errorf("%w: they are those of another registry, %s; the one that was opened is %s", fault.ErrIntegrity, s.ID, v.l.Settings.ID)
			}
			return err
		})
	default:
		v.stranger(key, errStranger)
	}
	return nil
}

var errStranger = errors.New("no key of a registry looks like that")

// stranger is a key that a registry does not have. What it holds is not
// looked at.
func (v *verification) stranger(key string, err error) {
	v.problem(key, "", fmt.Errorf("%s does not belong here, move it away: %w", key, err))
}

// register verifies a register that is in no version.
func (v *verification) register(ctx context.Context, key string, check func([]byte) error) error {
	_, err := v.l.ReadRegister(ctx, key, "", check)
	switch {
	case ledger.IsUnreadable(err):
		v.problem(key, "", err)
	case err != nil && !ledger.IsNotFound(err): // removed since
		return err
	}
	return nil
}

// object verifies a key of an object: a version, or a milestone.
func (v *verification) object(ctx context.Context, info store.Info) error {
	if name, number, err := manifest.ParseMilestoneKey(info.Key); err == nil {
		v.reportMilestones(name)
		if info.Size > 0 {
			v.problem(info.Key, "", fmt.Errorf("%s: %w: the milestone holds %d bytes, and has none", info.Key, fault.ErrIntegrity, info.Size))
			return nil
		}
		v.milestones.add(name, number, info.Key)
		return nil
	}
	name, number, err := manifest.ParseVersionRegisterKey(info.Key)
	if err != nil {
		v.stranger(info.Key, err)
		return nil
	}
	v.reportMilestones(name)
	delete(v.milestones.keys, number)
	return v.read(ctx, name, number)
}

// milestones are those of one object of which the register has not been listed
// yet. They come before it.
type milestones struct {
	name string
	keys map[manifest.Version]string
}

func (m *milestones) add(name string, v manifest.Version, key string) {
	if m.keys == nil {
		m.keys = map[manifest.Version]string{}
	}
	m.name, m.keys[v] = name, key
}

// hidden takes note that a part of an object, or of all for "", is not listed.
func (m *milestones) hidden(name string) {
	if name == "" || name == m.name {
		m.keys = nil
	}
}

// lies tells of the milestones that speak of no register, once the keys are of
// another object than theirs. One may come before its register in a mirror that
// is being filled; then it is true the next time.
func (v *verification) reportMilestones(name string) {
	if m := &v.milestones; m.name != name {
		for _, number := range slices.SortedFunc(maps.Keys(m.keys), manifest.Version.Compare) {
			key := m.keys[number]
			v.problem(key, "", fmt.Errorf("%s: %w: the milestone says that %s@%s has a register, and there is none", key, fault.ErrIntegrity, m.name, number))
		}
		m.name, m.keys = name, nil
	}
}

// tag verifies that the register of a tag can be read, and that it points at
// a live version of the digest that it says.
func (v *verification) tag(ctx context.Context, key string) error {
	name, tag, err := manifest.ParseTagKey(key)
	if err != nil {
		v.stranger(key, err)
		return nil
	}
	_, err = v.l.ResolveTag(ctx, name, tag)
	switch {
	case err == nil:
	case errors.Is(err, fault.ErrDangling), ledger.IsUnreadable(err):
		v.problem(key, name+"@"+tag, err)
	case errors.Is(err, fault.ErrNotFound): // removed
	default:
		return err
	}
	return nil
}
