package promptrails

import "sync"

// growAfter is the number of pages of one size after which a larger size is tried
// again.
const growAfter = 8

// sizer is the size of the pages that an iteration requests: the caller's, or a
// smaller size after a page exceeded [WithMaxResponseSize]. It is safe for concurrent
// use.
type sizer struct {
	mu   sync.Mutex
	most int // of the caller
	now  int
	good int // pages of the current size
}

func newSizer(limit int) *sizer { return &sizer{most: limit, now: limit} }

func (s *sizer) limit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// upTo returns a sizer for pages of at most limit items, which are not larger than
// the current ones.
func (s *sizer) upTo(limit int) *sizer { return newSizer(min(limit, s.limit())) }

// shrink halves a size that was too large. It returns false for a page of one item.
func (s *sizer) shrink(tooLarge int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.good = min(s.now, max(1, tooLarge/2)), 0
	return tooLarge > 1
}

// grow counts a page within the limit, and doubles the size after growAfter of them.
func (s *sizer) grow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good++; s.now < s.most && s.good >= growAfter {
		s.now, s.good = min(2*s.now, s.most), 0
	}
}
