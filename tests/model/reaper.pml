/* ================================ the reaper ================================ */

#ifdef WITHOUT_BACKSTOP
#define backstop false
#else
#define backstop aged
#endif
#ifdef WITHOUT_WARMUP
#define warming false
#else
#define warming warm
#endif
/* Policy.Decide: the backstop; the owner is dead; nobody owns it. */
#define due (status == open && hold == 0 && (backstop || \
	owner != 0 && runof[owner-1] == newrun && state == died || \
	!(owner != 0 && runof[owner-1] == newrun) && !warming))

#ifdef WITHOUT_ROW_CAS
#define sameversion true
#else
#define sameversion (!otherversion)
#endif
#ifdef WITHOUT_OWNER_CAS
#define sameclaim true
#else
#define sameclaim (hold == 0 && (alone || owner == judgedowner && state == judgedstate && !othertoken)) /* Judged.Stands */
#endif

#define protected(i) (rightful == (i)+1 && (life[i] == running || life[i] == stopped) && !late[i])
#define spared (aged || !protected(0) && !protected(1))

inline forget() { alone = 0; judgedowner = 0; judgedstate = 0; othertoken = 0; otherversion = 0 }

inline revoke() { /* Registry.Revoke */
	HOLDS(SPARED, spared);
	printf("whoever owns the job is revoked (%d)\n", owner);
	rightful = 0; reaping = newrun;
	if :: owner != 0 -> withdraw() :: else fi;
	forget()
}
inline giveup() {
	HOLDS(UNTOUCHED, reaping == 0);
	if :: tx == updated -> tx = none :: else fi;
	reaper = resting; forget()
}
inline settle() { /* Registry.Settle */
	reaped = reaped | (1 << reaping); reaping = 0;
	reaper = resting; forget()
}

active proctype Reaper() {
	do
	:: d_step { up && reaper == resting && due ->
		reaper = judged; alone = backstop;
		printf("the reaper judges: reap (owner %d, backstop %d)\n", owner, alone);
		if :: !alone -> judgedowner = owner; judgedstate = state :: else fi }
	:: d_step { up && FAULTS && (reaper == judged || reaper == revoking) -> giveup(); printf("the database fails\n") }

	/* lock, compare the version, update; then revoke; then commit: reaper/transact.go */
#ifdef WITHOUT_ORDER_REVOKE_FIRST
	:: d_step { up && reaper == judged && sameclaim -> revoke(); reaper = revoking }
	:: d_step { up && reaper == revoking && tx == none && sameversion -> tx = updated; reaper = committing }
	:: d_step { up && reaper == revoking && tx == none && !sameversion -> giveup() }
#else
	:: d_step { up && reaper == judged && tx == none && !sameversion -> giveup() }
	:: d_step { up && reaper == judged && tx == none && sameversion ->
		tx = updated; reaper = revoking; printf("the reaper locks and updates the row\n") }
#ifdef WITHOUT_ORDER
	:: d_step { up && reaper == revoking -> reaper = committing }
#else
	:: d_step { up && reaper == revoking && !sameclaim -> giveup() }
	:: d_step { up && reaper == revoking && sameclaim -> revoke(); reaper = committing }
#endif
#endif
	:: d_step { up && (reaper == committing || reaper == retrying) ->
		tx = sent; reaper = awaiting; printf("the reaper sends the commit\n") }
	:: d_step { up && reaper == awaiting && tx == applied ->
		tx = none;
#ifdef WITHOUT_ORDER
		revoke();
#endif
		settle() }

	/* the outcome is not known: reaper/pending.go */
	:: d_step { up && reaper == awaiting && tx == refused -> tx = none; reaper = pending; printf("the commit fails\n") }
	:: d_step { up && FAULTS && reaper == awaiting ->
		tx = (tx == sent -> adrift : none);
		reaper = pending; printf("the commit has no known outcome\n") }
#ifndef WITHOUT_RETRY
	:: d_step { up && reaper == pending && tx == none ->
		if
		:: status == open && newrun == reaping -> tx = updated; reaper = retrying; printf("the reaper tries again\n")
		:: else -> settle()
		fi }
#endif
	od
}
