/* ================================ the database, and the orchestrator ================================ */

inline apply() {
	HOLDS(KEPT, !window[0] && !window[1]);
	HOLDS(SPARED, spared);
	printf("the reap of run %d is committed\n", newrun);
	status = (newrun == RUNS -> failed : queued); aged = 0; rightful = 0
}
inline begin(i) {
	life[i] = running; runof[i] = newrun; revoked[i] = 0;
	printf("finalizer %d begins, for run %d\n", i, newrun)
}
inline claim(i) { status = open; newrun++; otherversion = judging; begin(i) }

active proctype Database() {
	do
	:: d_step { tx == sent -> apply(); tx = applied }
	:: d_step { tx == sent && FAULTS -> tx = refused }
	:: d_step { tx == adrift -> apply(); tx = none }
	:: d_step { tx == adrift || tx == orphan -> tx = none }
	/* places are alike: the first that is vacant will do */
	:: d_step { status == queued && !locked && vacant(0) -> claim(0) }
	:: d_step { status == queued && !locked && !vacant(0) && vacant(1) -> claim(1) }
	:: d_step { RIVAL && status == open && vacant(0) -> begin(0) }
	:: d_step { RIVAL && status == open && !vacant(0) && vacant(1) -> begin(1) }
	od
}

/* ================================ time ================================ */

#if defined(SPARE) && !defined(WITHOUT_FRESH_LEASES)
#define returning(i) (life[i] == running && !late[i] && (phase[i] == away || phase[i] == asking))
#else
#define returning(i) false
#endif
#define awaited(i) (rightful == (i)+1 && !owns(i) && life[i] == running && !late[i])

active proctype Clock() {
	do
	:: d_step { up && hold != 0 -> /* in memory and in the file */
		who = hold-1; window[who] = 0; hold = 0; filed = 0;
		printf("finalizer %d's hold ends\n", who); tidy(who); who = 0 }
	:: d_step { up && hold != 0 && filed == hold -> /* in the file it was rounded up */
		who = hold-1; window[who] = 0; hold = 0;
		printf("finalizer %d's hold ends, but in the file\n", who); who = 0 }
	:: d_step { filed != 0 && hold == 0 ->
		who = filed-1; window[who] = 0; filed = 0;
		printf("finalizer %d's hold ends in the file\n", who); tidy(who); who = 0 }
	:: d_step { window[0] && hold != 1 && filed != 1 -> window[0] = 0; tidy(0) }
	:: d_step { window[1] && hold != 2 && filed != 2 -> window[1] = 0; tidy(1) }
	:: d_step { up && state == reconnecting && !returning(owner-1) ->
		printf("finalizer %d's lease lapses: it is lost\n", owner-1); loseowner() }
	:: d_step { up && warm && !awaited(0) && !awaited(1) -> warm = 0; printf("the warm-up ends\n") }
	od
}

active proctype Age() {
	do
	:: d_step { status == open && !aged -> aged = 1; printf("the job is past its ceiling\n") }
	od
}

/* ================================ the watchdog's death and start ================================ */

inline crash() {
	printf("the watchdog dies\n");
	up = 0; warm = 0; owner = 0; onolder = 0; wants = 0; confirmed = 0; resumed = 0; asked = 0; hold = 0; reaped = 0;
	revoked[0] = 0; revoked[1] = 0; newest[0] = 0; newest[1] = 0;
	reaping = 0; reaper = resting; forget();
	if /* what a connection had not sent is rolled back; what it had may yet be done */
	:: tx == updated -> tx = orphan
	:: tx == sent -> tx = adrift
	:: tx == applied || tx == refused -> tx = none
	:: else
	fi;
	phase[0] = away; unread[0] = 0; older[0] = absent; late[0] = late[0] || life[0] == stopped; tidy(0);
	phase[1] = away; unread[1] = 0; older[1] = absent; late[1] = late[1] || life[1] == stopped; tidy(1)
}

active proctype Keeper() {
	do
	:: d_step { !up ->
		printf("the watchdog starts\n");
		up = 1; warm = 1; hold = filed }
	od
}

/* ================================ faults ================================ */

#define stays(i) (owns(i) && !onolder && phase[i] != away)
inline stop(i) {
	printf("finalizer %d is stopped\n", i);
	life[i] = stopped; late[i] = late[i] || !stays(i)
}
inline die(i) { printf("finalizer %d dies\n", i); quit(i, dead) }

active proctype Faults() {
	do
	:: d_step { CRASHES && up -> crash() }
	:: d_step { LOSSES && life[0] == running && phase[0] != away -> printf("finalizer 0 loses its connection\n"); hangup(0) }
	:: d_step { LOSSES && life[1] == running && phase[1] != away -> printf("finalizer 1 loses its connection\n"); hangup(1) }
	:: d_step { FAULTS && (life[0] == running || life[0] == stopped) -> die(0) }
	:: d_step { FAULTS && (life[1] == running || life[1] == stopped) -> die(1) }
	:: d_step { STOPS && life[0] == running -> stop(0) }
	:: d_step { STOPS && life[1] == running -> stop(1) }
	:: d_step { life[0] == stopped -> life[0] = running; printf("finalizer 0 goes on\n") }
	:: d_step { life[1] == stopped -> life[1] = running; printf("finalizer 1 goes on\n") }
#ifdef LIVE
	:: d_step { !calm -> calm = 1; printf("no more faults\n") }
#endif
	od
}

#ifdef LIVE
ltl ENDED { (<> calm) -> <> (status == done || status == failed) }
#endif
