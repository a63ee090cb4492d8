"""Dialogue and skill-of-mind -> what the next speaker says."""

from thanos.respond.messages import reply_messages
from thanos.respond.plan import ARMS, Arm, instruction, plan_note
from thanos.respond.responder import Reply, Responder
from thanos.respond.speaker import next_speaker

__all__ = ["ARMS", "Arm", "Reply", "Responder", "instruction", "next_speaker", "plan_note", "reply_messages"]
