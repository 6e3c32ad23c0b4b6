package liveness

import (
	"fmt"
	"os"
	"time"

	"github.com/finalizer-watchdog/watchdog"
	"github.com/finalizer-watchdog/watchdog/protocol"
)

// confirmWithin is how long a request waits for the database. What is behind it on the connection waits as
// long: replies are in order.
const confirmWithin = time.Second

// answer handles one line and is false when the connection has to end.
func (c *conn) answer(line []byte) bool {
	req, wrong := c.parser.Parse(line)
	if wrong != nil {
		c.reply(&protocol.Reply{ID: req.ID, Err: wrong})
		return !wrong.Fatal
	}
	reply := c.dispatch(req)
	reply.ID = req.ID
	c.reply(&reply)
	if req.Op == protocol.OpMark && reply.Err == nil {
		// Not before the reply is queued: what the database says may end the ownership, and an event about a
		// token must not overtake the token.
		c.srv.asker.want(watchdog.JobID(req.Job))
	}
	return true
}

func (c *conn) reply(r *protocol.Reply) {
	if c.out.Reply(r) {
		c.out.Flush()
	}
}

func (c *conn) dispatch(req *protocol.Request) protocol.Reply {
	at := c.at
	switch req.Op {
	case protocol.OpHello:
		lease := c.srv.Registry.Hello(c.session, at, req.Name, req.Lease)
		return protocol.Reply{Session: c.name, Lease: lease, Beat: beatEvery(lease)}
	case protocol.OpMark:
		return c.mark(at, req)
	case protocol.OpStep:
		return c.srv.Registry.Step(c.session, at, req)
	case protocol.OpCheck:
		reply := c.check(at, req)
		c.srv.Registry.Checked(reply)
		return reply
	case protocol.OpClear:
		reply, kept := c.srv.Registry.Clear(c.session, at, req)
		if kept != nil {
			c.keep(*kept)
		}
		return reply
	}
	c.srv.Registry.Touch(c.session, at)
	switch req.Op {
	case protocol.OpStatus:
		return protocol.Reply{Body: c.srv.Controls.Describe()}
	case protocol.OpSwitch, protocol.OpReleaseBrake:
		return c.control(req)
	}
	return protocol.Reply{} // a beat
}

func (c *conn) mark(at time.Duration, req *protocol.Request) protocol.Reply {
	job := watchdog.JobID(req.Job)
	reply, done := c.srv.Registry.Mark(c.session, at, req, nil)
	if !done {
		known, err := c.await(job)
		if err != nil {
			return refuse(protocol.Unavailable, "", "which run of the job is the newest is not known: the database did not answer")
		}
		reply, done = c.srv.Registry.Mark(c.session, c.at, req, known)
	}
	if !done {
		return refuse(protocol.Unavailable, "", "which run of the job is the newest is not known: it changed hands meanwhile")
	}
	if reply.Err == nil {
		c.watch()
		c.srv.reserve(reply.Token)
	}
	return reply
}

func (c *conn) check(at time.Duration, req *protocol.Request) protocol.Reply {
	reply, need := c.srv.Registry.Check(c.session, at, req)
	if need.Ask {
		if _, err := c.await(need.Job); err == nil {
			reply, need = c.srv.Registry.Check(c.session, c.at, req)
		}
	}
	if need.Ask {
		c.srv.Registry.Forgo(need)
		return refuse(protocol.Unavailable, "", "the database did not confirm the ownership yet")
	}
	if need.Keep {
		// Rounded up by as much again, so that not each of many checks in a row is written.
		until := need.Until + reply.Hold
		if !c.keep(Hold{Job: need.Job, Token: need.Token, Role: need.Role, UID: need.UID, Until: until}) {
			return refuse(protocol.Unavailable, "", "the hold could not be written to the state file")
		}
		c.srv.Registry.Kept(need, until)
	}
	return reply
}

func (c *conn) keep(h Hold) bool {
	err := c.srv.State.Keep(h)
	if err != nil {
		c.srv.Log.Error("a hold could not be written down; checks are unavailable", "error", err)
	}
	return err == nil
}

// await asks the database about a job, for a bounded time.
func (c *conn) await(job watchdog.JobID) (*Newest, error) {
	late := time.NewTimer(confirmWithin)
	defer late.Stop()
	defer func() { c.at = c.srv.Boot() }() // what comes after counts from now
	select {
	case a := <-c.srv.asker.ask(job):
		return a.newest, a.err
	case <-c.exit:
		return nil, fmt.Errorf("ask about job %s: the peer exited", job)
	case <-late.C:
		err := fmt.Errorf("ask about job %s: no answer within %s", job, confirmWithin)
		c.srv.asker.late(err)
		return nil, err
	}
}

func (c *conn) control(req *protocol.Request) protocol.Reply {
	if uid := c.peer.UID; uid != 0 && uid != os.Getuid() {
		return refuse(protocol.Forbidden, "", "only the watchdog's own user and root may do this")
	}
	by := fmt.Sprintf("uid %d, pid %d", c.peer.UID, c.peer.PID)
	if req.Op == protocol.OpReleaseBrake {
		c.srv.Controls.ReleaseBrake(by)
		return protocol.Reply{}
	}
	c.srv.Controls.Switch(req.FinalizerLiveness, by)
	if req.FinalizerLiveness {
		c.srv.Registry.Recall()
	}
	return protocol.Reply{}
}
