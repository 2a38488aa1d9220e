//! Serves a request: from its first attempt to its answer.

use std::sync::Arc;

use super::answers::answer::Answer;
use super::answers::continuability::Continuability;
use super::answers::resume::Resume;
use super::course::Course;
use super::decisions::order::Order;
use super::decisions::plan::AttemptPlan;
use super::decisions::routing_request::RoutingRequest;
use super::engine::Failover;
use super::exhausted::Exhausted;
use super::log::AttemptLog;
use super::run::Run;
use crate::request::ModelRequest;
use crate::routing::Rule;

impl Failover {
    /// Tries the candidates of a rule, best first, until one answers or reports that the request itself is invalid.
    pub async fn run(
        self,
        request: Arc<ModelRequest>,
        rule: Arc<Rule>,
    ) -> Result<Answer, Exhausted> {
        let run = Run::new(&self, &request, &rule, None).await;
        let continuation = run.continuation;
        let asked = self.broken.asked(&request, &rule);
        let mut order = Order::new(&rule, RoutingRequest::of(&request), fastrand::f64);
        if let Some(asked) = &asked {
            order.put_last(&asked.broken_by(request.received_at));
        }
        let plan = AttemptPlan::new(order, &self.memory);
        let mut course = Course::new(&run, plan, AttemptLog::default());
        course.find_first().await;
        let winner = match course.finish().await {
            Ok(winner) => winner,
            Err(exhausted) => return Answer::or_upstream_error(exhausted),
        };
        let may_resume =
            !request.control.is_once && matches!(continuation, Some(Continuability::Possible(_)));
        let resume = may_resume.then(|| Resume::new(&self, &request, &rule));
        Ok(Answer::of(winner, &self, continuation, resume, asked))
    }
}
