package policy

// VisibleASCII reports whether s consists of one or more visible ASCII
// characters: no spaces and no control characters.
func VisibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}
