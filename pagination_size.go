package promptrails

import "sync"

// growAfter is how many pages of one size are read before a larger one is tried
// again.
const growAfter = 8

// sizer is the size of the pages that an iteration asks for: the caller's, or a
// divisor of it after a page was larger than [WithMaxResponseSize] allows. It is
// safe for concurrent use.
type sizer struct {
	mu    sync.Mutex
	sizes []int // from the caller's down to the one in use
	good  int   // pages of that size
}

func newSizer(limit int) *sizer { return &sizer{sizes: []int{limit}} }

// upTo returns a sizer for pages of at most limit items, not larger than those
// in use now.
func (s *sizer) upTo(limit int) *sizer { return newSizer(min(limit, s.limit())) }

func (s *sizer) limit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sizes[len(s.sizes)-1]
}

// whole reports whether pages have the caller's size.
func (s *sizer) whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sizes) == 1
}

// shrink takes the next smaller divisor, so that pages by number still begin
// where one has ended. It reports false for a page of one item.
func (s *sizer) shrink() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.sizes[len(s.sizes)-1]
	if limit <= 1 {
		return false
	}
	smaller := limit / 2
	for limit%smaller != 0 {
		smaller--
	}
	s.sizes, s.good = append(s.sizes, smaller), 0
	return true
}

// grow counts a page that fit, and goes back to the next larger size after
// enough of them, if the list is then at the beginning of a page of that size.
// offset is how many items come before the next page.
func (s *sizer) grow(offset int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good++; len(s.sizes) > 1 && s.good >= growAfter && offset%s.sizes[len(s.sizes)-2] == 0 {
		s.sizes, s.good = s.sizes[:len(s.sizes)-1], 0
	}
}

// growNumber is grow for pages by number: it returns the number, in the new
// size, of the page to ask for.
func (s *sizer) growNumber(number int) int {
	before := s.limit()
	s.grow((number - 1) * before)
	return (number-1)*before/s.limit() + 1
}
