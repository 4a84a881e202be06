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
// maxNames.
func (d *Decoder) Unwanted() map[string]uint64 {
	names := map[string]uint64{}
	for _, root := range d.roots {
		root.unwanted("", names)
	}
	return names
}

func (n *node) unwanted(path string, names map[string]uint64) {
	if n.slot < 0 && n.other != nil && n.other.count > 0 {
		names[path+OtherNames] += n.other.count
	}
	for _, c := range n.children {
		name := c.name
		if c.wanted {
			c.unwanted(path+name+".", names)
			continue
		}
		if !plainName.MatchString(name) {
			name = OtherNames
		}
		if n.slot < 0 && c.count > 0 { // else all of it is wanted
			names[path+name] += c.count
		}
	}
}
