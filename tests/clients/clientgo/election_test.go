package clientgo

import (
	"context"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// candidate runs for leadership until `stop`; `leads` closes when it has won.
type candidate struct {
	leads chan struct{}
	stop  context.CancelFunc
	over  sync.WaitGroup
}

func run(t *testing.T, client kubernetes.Interface, space, identity string) *candidate {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	running := &candidate{leads: make(chan struct{}), stop: stop}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: "leader", Namespace: space},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
		},
		LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 200 * time.Millisecond,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(running.leads) },
			OnStoppedLeading: func() {},
		},
	})
	must(t, err)
	running.over.Add(1)
	go func() {
		defer running.over.Done()
		elector.Run(ctx)
	}()
	return running
}

// The second candidate waits for the first, and follows as soon as that one lets go of the lease.
func TestLeaderElection(t *testing.T) {
	client := clientset(t, config(t))
	space := newNamespace(t, client)
	first := run(t, client, space, "first")
	<-first.leads
	second := run(t, client, space, "second")
	defer second.over.Wait()
	defer second.stop()
	select {
	case <-second.leads:
		t.Fatal("two leaders")
	case <-time.After(time.Second):
	}
	first.stop()
	first.over.Wait()
	select {
	case <-second.leads:
	case <-time.After(eventuallyWithin):
		t.Fatal("nobody follows a leader that has let go")
	}
	lease, err := client.CoordinationV1().Leases(space).Get(t.Context(), "leader", metav1.GetOptions{})
	must(t, err)
	equal(t, "holder", *lease.Spec.HolderIdentity, "second")
	equal(t, "transitions", *lease.Spec.LeaseTransitions, 1)
}
