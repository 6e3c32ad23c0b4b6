package liveness

// full reports whether the session may own nothing more: it has what one session may have, or its user has as many as
// there is room for anybody else. A user alone gets half of all, the next one half of the rest: nobody can take it all.
// Processes of one user share what that user gets; nothing that the kernel tells of them could not be had anew.
func (r *Registry) full(s *Session) bool {
	return len(s.owned) >= r.cfg.Limits.PerSession || r.shares[s.peer.UID] >= r.cfg.Limits.Total-len(r.tokens)
}

// free gives the user room for one more.
func (r *Registry) free(uid int) {
	r.shares[uid]--
	if r.shares[uid] == 0 {
		delete(r.shares, uid)
	}
}
