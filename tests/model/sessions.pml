/* ================================ the finalizers ================================ */

inline finalize(i) { /* what cannot be undone, and the closing of the job, whatever the row says */
	HOLDS(KEPT, status == open && newrun == runof[i]);
	HOLDS(ONCE, !finalized);
	status = done; finalized = 1; aged = 0; otherversion = judging;
	window[i] = 0; rightful = 0
}

#define me _pid
#ifdef SPARE
#define acts (phase[me] == held && status == open && newrun == runof[me])
#define checks false
#else
#define acts window[me]
#define checks (phase[me] == held)
#endif

active [2] proctype Finalizer() {
	do
	:: d_step { life[me] == running && phase[me] == away && up ->
		phase[me] = asking; unread[me] = 1;
		printf("finalizer %d connects and marks the job\n", me) }
	:: d_step { life[me] == running && checks ->
		phase[me] = checking; unread[me] = 1;
		printf("finalizer %d checks\n", me) }
	:: d_step { life[me] == running && phase[me] != away && revoked[me] -> told(me) }
	:: d_step { life[me] == running && acts && !locked ->
		finalize(me);
		printf("finalizer %d finalizes the job, and clears\n", me);
		hangup(me);
		if :: older[me] == end || older[me] == check -> older[me] = clear :: else fi;
		quit(me, nobody) }
	:: d_step { life[me] == running && acts && !locked ->
		finalize(me);
		printf("finalizer %d finalizes the job, and goes without a clear\n", me);
		quit(me, nobody) }
	od
}

/* ================================ the sessions: liveness/conn.go, handle.go ================================ */

#undef me
#define me (_pid-2)
#define asks(again) (up && phase[me] == asking && unread[me] && token[me] == again)
#define stales(again) (up && (!again && older[me] == mark || again && older[me] == resume))

#ifdef WITHOUT_PROOF
#define gone exited
#else
#define gone hungup
#endif

active [2] proctype Server() {
	do
	/* marks */
	:: d_step { asks(0) && !rejected(me, 0) && (returns(me) || grantable(me, 0)) ->
		printf("finalizer %d is granted the job\n", me); take(me, 0, 0, 0) }
	:: d_step { LOSSES && asks(0) && !rejected(me, 0) && (returns(me) || grantable(me, 0)) ->
		printf("finalizer %d is granted the job; the reply gets lost\n", me); take(me, 0, 0, 1) }
	:: d_step { asks(1) && !rejected(me, 1) && (returns(me) || grantable(me, 1)) ->
		printf("finalizer %d resumes the job\n", me); take(me, 0, 1, 0) }
	:: d_step { LOSSES && asks(1) && !rejected(me, 1) && (returns(me) || grantable(me, 1)) ->
		printf("finalizer %d resumes the job; the reply gets lost\n", me); take(me, 0, 1, 1) }
	:: d_step { asks(1) && !rejected(me, 1) && !owns(me) -> /* Registry.believes, and in the client refuse */
		printf("nothing is known of finalizer %d's token any more: it will mark afresh\n", me);
		token[me] = 0; newest[me] = 0; if :: older[me] != resume -> junior = OTHER(me) :: else fi }
	:: d_step { up && phase[me] == asking && unread[me] && rejected(me, token[me]) -> told(me) }
	:: d_step { up && phase[me] == asking && unread[me] && !rejected(me, token[me]) && conflict(me, token[me]) && !newest[me] ->
		if
		:: status == open && newrun == runof[me] -> newest[me] = 1; printf("the database says that run %d is the newest\n", newrun)
		:: else -> told(me)
		fi }
	/* marks from before it connected again */
	:: d_step { stales(0) ->
		printf("finalizer %d's mark is read from its older connection\n", me);
		if
		:: !rejected(me, 0) && !conflict(me, 0) && (returns(me) || grantable(me, 0)) -> take(me, 1, 0, 1)
		:: else -> older[me] = end
		fi }
	:: d_step { stales(1) ->
		printf("finalizer %d's resumption is read from its older connection\n", me);
		if
		:: !rejected(me, 1) && !conflict(me, 1) && (returns(me) || grantable(me, 1)) -> take(me, 1, 1, 1)
		:: else -> older[me] = end
		fi }
	/* checks */
	:: d_step { up && phase[me] == checking && unread[me] && revoked[me] -> told(me) }
	:: d_step { up && phase[me] == checking && unread[me] && !revoked[me] && !(owns(me) && !onolder) ->
		printf("finalizer %d is no owner in this session\n", me); phase[me] = asking }
	:: d_step { up && phase[me] == checking && unread[me] && !revoked[me] && !onolder && possible(me) && !sure && !wants ->
		wants = 1 }
	:: d_step { up && phase[me] == checking && unread[me] && !revoked[me] && !onolder && promisable(me) ->
		promise(me); unread[me] = 0; phase[me] = held; window[me] = 1;
		printf("finalizer %d is promised a hold\n", me);
		HOLDS(ALONE, !window[OTHER(me)]);
		HOLDS(KEPT, status == open && newrun == runof[me]) }
	:: d_step { LOSSES && up && phase[me] == checking && unread[me] && !revoked[me] && !onolder && promisable(me) ->
		promise(me); unread[me] = 0;
		printf("finalizer %d is promised a hold; the reply gets lost\n", me) }
	:: d_step { up && older[me] == check ->
		if :: !revoked[me] && onolder && promisable(me) -> promise(me) :: else fi;
		older[me] = end }
	:: d_step { up && older[me] == clear ->
		older[me] = end;
		if
		:: owns(me) && onolder ->
			loseowner(); othertoken = claimed;
			if :: hold == me+1 -> hold = 0 :: else fi;
			if :: filed == me+1 -> filed = 0 :: else fi
		:: else
		fi }
	/* the end of the connection; the exit of the process */
	:: d_step { up && older[me] == end ->
		if
		:: owns(me) && onolder -> older[me] = gone; printf("finalizer %d's connection has ended\n", me)
		:: else -> older[me] = absent; tidy(me)
		fi }
	:: d_step { up && life[me] == dead && owns(me) && onolder && (older[me] == end || older[me] == hungup) ->
		older[me] = exited; printf("finalizer %d is proven dead\n", me) }
	od
}
#undef me

/* Asks the database about who owns the job, and has the registry observe the answer: liveness/asker.go,
 * observe.go. The rows are read in one step and observed in another. */
#ifdef WITHOUT_SETTLING
#define settled true
#else
#define settled (!adriftbefore)
#endif
#define openunder(i) (status == open && newrun == runof[i])

active proctype Asker() {
	do
	:: d_step { up && owner != 0 && asked == 0 && !openunder(owner-1) -> asked = 1 }
	:: d_step { up && owner != 0 && asked == 0 && openunder(owner-1) && wants && settled -> asked = 2 }
	:: d_step { up && asked == 2 ->
		asked = 0; wants = 0; confirmed = 1; printf("the database confirms finalizer %d\n", owner-1) }
	:: d_step { up && asked == 1 -> printf("the database does not confirm finalizer %d\n", owner-1); withdraw() }
	od
}
