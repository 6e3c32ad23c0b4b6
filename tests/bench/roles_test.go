package bench

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/finalizer-watchdog/watchdog/client"
)

// beOwner owns so many jobs that come after an id, until it is killed.
func beOwner(args []string) error {
	jobs, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	after, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	c := client.New(client.Options{Socket: args[0], Name: "owner", Timeout: 20 * time.Second})
	each := make(chan int)
	errs := make(chan error, 64)
	var marking sync.WaitGroup
	for range cap(errs) {
		marking.Go(func() {
			for job := range each {
				id := strconv.Itoa(job)
				o, err := c.Mark(context.Background(), client.Job{ID: id, Run: id, Stage: "deploy-staging"})
				if err == nil && !o.Granted() {
					err = fmt.Errorf("mark job %d: it was not granted", job)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for job := range jobs {
		select {
		case each <- after + job + 1:
		case err := <-errs:
			return err
		}
	}
	close(each)
	marking.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}
	fmt.Print(ready)
	select {}
}

// beUpdater says of each job that it is alive, by an UPDATE every interval, until it is killed.
func beUpdater(args []string) error {
	jobs, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	db, err := sql.Open("postgres", args[0])
	if err != nil {
		return err
	}
	connections := min(8, jobs)
	errs := make(chan error, connections)
	for c := range connections {
		st, err := db.Prepare("UPDATE alive SET at = now() WHERE job = $1")
		if err != nil {
			return err
		}
		go func() {
			pace := time.NewTicker(beatEvery)
			for {
				for job := c + 1; job <= jobs; job += connections {
					if _, err := st.Exec(job); err != nil {
						errs <- err
						return
					}
				}
				<-pace.C
			}
		}()
	}
	fmt.Print(ready)
	return <-errs
}
