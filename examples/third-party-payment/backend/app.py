"""The application: `uvicorn backend.app:app`, told by the environment.

``JETON_URL``, ``INTAKE_CREDENTIAL`` (may tokenise), ``REIMBURSEMENT_CREDENTIAL`` (may reveal a
NIR for the purpose ``reimbursement``), ``INSURER_URL``, ``DATABASE_URL``.
"""

import logging
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

import jeton
import jeton.logging
import jeton.tracing
from backend import insurer
from backend.messages import ClaimView, NewClaim, Search
from backend.models import Base, Claim
from jeton.sqlalchemy import bind, revealing

PURPOSE = "reimbursement"
log = logging.getLogger("backend")


def client(credential: str) -> jeton.Client:
    return jeton.Client(credential=os.environ[credential], headers=jeton.tracing.headers)


intake = client("INTAKE_CREDENTIAL")
reimbursement = client("REIMBURSEMENT_CREDENTIAL")
engine = create_engine(os.environ.get("DATABASE_URL", "sqlite:///claims.db"), hide_parameters=True)
bind(engine, intake)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    handler = logging.StreamHandler()
    handler.addFilter(jeton.logging.Scrub())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    Base.metadata.create_all(engine)
    yield
    intake.close()
    reimbursement.close()


app = FastAPI(title="Third-party payment", lifespan=lifespan)


def session() -> Iterator[Session]:
    with Session(engine) as one:
        yield one


InSession = Annotated[Session, Depends(session)]


@app.middleware("http")
async def trace(request: Request, call_next):  # type: ignore[no-untyped-def]
    with jeton.tracing.continued(request.headers.get("traceparent")):
        return await call_next(request)


@app.post("/claims", status_code=201)
def take(new: NewClaim, session: InSession) -> ClaimView:
    """The values become tokens in the flush: one call for the NIR, one for the date."""
    claim = Claim(nir=new.nir, born=new.born, provider=new.provider, cents=new.cents)
    session.add(claim)
    session.commit()
    log.info("claim %d taken for %s", claim.id, claim.nir)
    return ClaimView.model_validate(claim)


@app.post("/claims/search")
def search(asked: Search, session: InSession) -> Sequence[ClaimView]:
    """A person's claims. The NIR comes in the body: a URL would end up in logs."""
    found = session.scalars(select(Claim).where(Claim.nir == asked.nir).order_by(Claim.id))
    return [ClaimView.model_validate(claim) for claim in found]


@app.get("/claims/{number}")
def show(number: int, session: InSession) -> ClaimView:
    return ClaimView.model_validate(one(session, number))


@app.post("/claims/{number}/reimbursement")
def reimburse(number: int, session: InSession) -> ClaimView:
    """Reveals one field of one claim, says what for, and passes it on to who pays."""
    claim = one(session, number, lock=True)
    if claim.paid:
        raise HTTPException(409, "this claim is paid")
    with revealing(session, purpose=PURPOSE, client=reimbursement):
        nir = session.scalars(select(Claim.nir).where(Claim.id == number)).one()
    assert isinstance(nir, jeton.Sensitive)
    insurer.send(insurer.Order(claim.id, nir, claim.provider, claim.cents))
    claim.paid_at = datetime.now(UTC)
    session.commit()
    log.info("claim %d reimbursed", claim.id)
    return ClaimView.model_validate(claim)


def one(session: Session, number: int, *, lock: bool = False) -> Claim:
    found = session.get(Claim, number, with_for_update=lock)
    if found is None:
        raise HTTPException(404, "no such claim")
    return found


@app.exception_handler(RequestValidationError)
async def refused(_: Request, error: RequestValidationError) -> JSONResponse:
    """Says which fields are wrong, and repeats nothing of them."""
    wrong = [{"loc": each["loc"], "msg": each["msg"]} for each in error.errors()]
    return JSONResponse({"detail": wrong}, 422)


@app.exception_handler(jeton.JetonError)
async def untokenised(_: Request, error: jeton.JetonError) -> JSONResponse:
    """A NIR or date that is none is the caller's; what else fails is ours, and may pass."""
    if isinstance(error, jeton.ItemError):
        return JSONResponse({"detail": f"a field is not what it should be: {error.code}"}, 422)
    log.warning("jeton: %s", error)
    after = {} if error.retry_after is None else {"Retry-After": f"{error.retry_after:.0f}"}
    return JSONResponse({"detail": "try again later"}, 503, headers=after)
