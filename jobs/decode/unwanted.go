package decode

import "regexp"

// plainName is what a field's name looks like that somebody has chosen. Anything
// else could be a value that was used as a name, such as an address.
var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z_]*[0-9]{0,2}$`)

// OtherNames stands for the names that are not told.
const OtherNames = "(other)"

// Unwanted returns how often each field came that the policy does not name, and that
// was therefore dropped: its path, up to the first name that is not wanted. Values
// never stand in it. There are at most as many as a policy has paths, times
// maxGuesses.
func (d *Decoder) Unwanted() map[string]uint64 {
	names := map[string]uint64{}
	if d.root != nil {
		d.root.unwanted("", names)
	}
	return names
}

func (n *node) unwanted(path string, names map[string]uint64) {
	for i, child := range n.children {
		child.unwanted(path+n.keys[i]+".", names)
	}
	if n.slot >= 0 { // all of it is wanted
		return
	}
	if n.others > 0 {
		names[path+OtherNames] += n.others
	}
	for _, g := range n.seen {
		name := string(g.quoted[1 : len(g.quoted)-2])
		if !plainName.MatchString(name) {
			name = OtherNames
		}
		if g.count > 0 {
			names[path+name] += g.count
		}
	}
}
