#include "claims/lexicon.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace scm::claims {
namespace {

struct Entry {
  Cue cue;
  const char* phrases;  // separated by " | "; "*" ends a word that may go on
};

constexpr Entry kEntries[] = {
    {Cue::kGain,
     "outperform* | surpass* | beat | beats | beaten | exceed* | better | superior | improve* | "
     "improvement* | gain | gains | gained | higher | more accurate | more precise | ahead of | "
     "wins | increase* | raise* | boost* | above | rises | rose | grows | grew | adds | "
     "supera* | superan | supero | superior* | mejor que | mejora* | mejoro | gana | ganan | "
     "gano | ganancia* | aventaja* | mas alt* | mas precis* | mas exact* | mas aciertos | "
     "aumenta* | aumento | incrementa* | incremento | sube | eleva* | mejor | lead | leads | "
     "advantage | ventaja | aporta* | adds | helps the accuracy | superar* | supere | superen | "
     "mejorar* | outdo* | outscore* | aventajar* | crush* | trounce* | overtak* | overtook | "
     "derrot* | paliza | arrasa* | vence* | vencio | gana* | alcanza a | catches up | dominates | "
     "domina | eclips* | thrash* | top | tops | topped"},
    {Cue::kLoss,
     "worse | underperform* | loses | lost | inferior | lower | less accurate | less precise | "
     "degrade* | degradation | drops | dropped | decrease* | trails | trail | lags behind | "
     "behind | below | falls short of | falls | hurts | harms | peor | inferior* | pierde* | "
     "perdio | empeora* | menos precis* | menos exact* | mas baj* | disminuye* | baja | bajo | "
     "queda por debajo | por detras | deficit | shortfall | desventaja | perder | rezagad*"},
    {Cue::kGainPassive,
     "outperformed by | surpassed by | beaten by | exceeded by | superad* por | aventajad* por"},
    {Cue::kDifference,
     "difference | differs | gap | margin | diferencia | difiere | brecha | delta | δ"},
    {Cue::kEqual,
     "match | matches | matched | matching | on par | par with | equal | equals | equalled | "
     "equally | comparable | as well as | as good as | as accurate as | equivalent | identical | "
     "same accuracy | same level | indistinguishable | tie | ties | tied | no difference between | "
     "there is no difference | does not differ | do not differ | igual | iguala* | iguales | a la "
     "par | "
     "equivalente* | equipara* | tan bien como | tan buen* como | tan precis* como | "
     "mismo nivel | misma exactitud | empata* | no hay diferencia* | no difiere* | "
     "comparables | identic*"},
    {Cue::kSignificant,
     "significant | significantly | significance | significativ* | significancia"},
    {Cue::kNotShown,
     "no difference was shown | no difference is shown | no significant difference | "
     "no statistically significant difference | not significant | not statistically significant | "
     "not significantly different | does not differ significantly | do not differ significantly | "
     "cannot be judged | could not be judged | inconclusive | no gain was shown | "
     "no improvement was shown | could not show | cannot show | "
     "no se mostro diferencia | no se mostro ninguna diferencia | no se ha mostrado diferencia | "
     "ninguna diferencia significativa | no hay diferencia significativa | "
     "no hay diferencias significativas | no hay una diferencia significativa | "
     "no es significativ* | no es estadisticamente significativ* | no fue significativ* | "
     "no difiere significativamente | no se puede juzgar | no puede juzgarse | no concluyente | "
     "could not show | we could not show | unable to show | no evidence | found no evidence | did "
     "not find evidence | no hemos podido demostrar | no pudimos demostrar | no se pudo demostrar "
     "| no logramos mostrar | no hay evidencia | no encontramos evidencia | no fue "
     "estadisticamente significativ* | no resulto significativ* | no resulta significativ* | no "
     "resulto estadisticamente significativ* | was not statistically significant | were not "
     "significant | failed to reach significance | did not reach significance | no alcanza "
     "significacion | no alcanzo significacion"},
    {Cue::kNotWorse,
     "no worse than | not worse than | not inferior to | no inferior to | "
     "non-inferior* | no es peor que | no peor que | no inferior a"},
    {Cue::kSuperlative,
     "best | highest | most accurate | top | first place | ranks first | ranked first | lowest | "
     "strongest | leads | el mejor | la mejor | los mejores | el mas preciso | la mas precisa | "
     "la mas alta | el mas alto | primer lugar | primer puesto | lidera | encabeza | "
     "mas preciso de todos | worst | weakest | el peor | ranks | ranked | ranking"},
    {Cue::kUnstored,
     "state of the art | state-of-the-art | sota | estado del arte | on average | average accuracy "
     "| "
     "mean accuracy | overall accuracy | en promedio | exactitud media | exactitud promedio | "
     "unprecedented | sin precedentes | human* | lawyer* | expert | experts | abogad* | expert* | "
     "out of domain | out-of-domain | fuera de dominio | other models | otros modelos | "
     "larger models | modelos mayores | modelos mas grandes | faster | slower | "
     "mas rapid* | mas lent* | cheaper | mas barat* | smaller | mas pequen* | "
     "calibrat* | calibrad* | hallucinat* | alucina* | fast | as fast | quick | quickly | rapido | "
     "rapida | to date | hasta la fecha | of its size | de su tamano"},
    {Cue::kBestOf,
     "best seed | best run | best of the five | best of five | mejor semilla | "
     "mejor corrida | mejor ejecucion | best-performing seed"},
    {Cue::kSelection,
     "best checkpoint* | best trial | best hyper-parameter* | best hyperparameter* | best learning "
     "| "
     "best validation | best configuration | best setting* | best value* | best known | "
     "best practice* | at best | best step | mejor punto de control | mejores hiperparametros | "
     "mejor configuracion | mejor tasa | mejor checkpoint | top of | mejor ensayo | better "
     "understand* | "
     "lowest validation loss | menor perdida de validacion"},
    {Cue::kAbove,
     "more than | over | above | exceed* | greater than | higher than | beyond | "
     "mas de | mas del | superior al | superior a | por encima del | por encima de | "
     "supera el | supera al | superan el | supera | mayor que | mayor al | mayor a | supera los | "
     "superan los | exceeds the"},
    {Cue::kBelow,
     "less than | under | below | lower than | fewer than | menos de | menos del | "
     "inferior al | inferior a | por debajo del | por debajo de | menor que | menor al | menor a"},
    {Cue::kAtLeast, "at least | no less than | al menos | como minimo | por lo menos"},
    {Cue::kAtMost, "at most | no more than | como maximo | a lo sumo | no mas de"},
    {Cue::kAbout,
     "about | around | roughly | approximately | some | nearly | almost | close to | "
     "aproximadamente | cerca del | cerca de | unos | casi | alrededor del | alrededor de"},
    {Cue::kUpTo, "up to | as much as | hasta en un | hasta un | hasta | as high as"},
    {Cue::kNegation,
     "not | no | never | neither | nor | fails to | failed to | fail to | cannot | "
     "doesn't | don't | didn't | isn't | wasn't | aren't | ni | nunca | tampoco | "
     "without | sin"},
    {Cue::kIrrealis,
     "whether | if | would | should | must | need to | needs to | has to | have to | aim | aims | "
     "aimed | goal | goals | hypothesis | hypothesise* | hypothesize* | we expect | expected to | "
     "asks | asked | asking | ask | require* | in order to | designed to | intended to | future "
     "work | "
     "target | targets | planned | plan to | may | might | could | threshold | the gate of | "
     "si | deberia* | debe | deben | podria* | se espera | esperamos | hipotesis | objetivo | "
     "objetivos | pretende | exige | exigen | pide | piden | trabajo futuro | pregunta* | umbral | "
     "requiere | se requiere | preregistr* | pre-registered | preregistered | is called | are "
     "called | we call | defined as | is defined | is considered | se llama | se llaman | se "
     "considera | se define | llamamos"},
    {Cue::kAsExpected,
     "as expected | as hypothesised | as hypothesized | como se esperaba | "
     "como esperabamos | segun lo previsto | as planned"},
    {Cue::kChance, "chance | random | random guessing | guessing | azar | aleatori* | adivin*"},
    {Cue::kAccuracy,
     "accura* | exactitud | precision | aciert* | acierto* | correct | correctly | "
     "correctas | correctos | correctamente | score | scores | puntuacion"},
    {Cue::kF1, "f1 | macro-f1 | f1-macro | macro f1"},
    {Cue::kLossMetric, "validation loss | test loss | loss | perdida"},
    {Cue::kTrainingLoss, "training loss | train loss | perdida de entrenamiento"},
    {Cue::kFromGuessing,
     "counted from guessing | from guessing | from what guessing | "
     "respecto al azar | contada desde el azar | desde el azar"},
    {Cue::kFall,
     "fall | falls | fell | reduc* | decreas* | drop* | lower* | shrinks | cut | cuts | "
     "cae | cayo | baja | bajo | disminuy* | redujo | goes down"},
    {Cue::kHalf, "halve | halves | halved | halving"},
    {Cue::kLatency,
     "latency | latencia | answers in | responds in | response time | responde en | "
     "tiempo de respuesta | percentile | percentil | p95 | p50"},
    {Cue::kMedian, "median | mediana | p50 | 50th"},
    {Cue::kMemory,
     "memory | memoria | size | tamano | weighs | pesa | ocupa | large | takes | "
     "megabytes | smaller | footprint"},
    {Cue::kPeak, "peak | pico | maxima"},
    {Cue::kReach,
     "achiev* | reach* | attain* | obtain* | scor* | answers | get | gets | has | is | "
     "was | are | with | of | alcanza* | alcanzo | obtiene* | obtuvo | logra* | logro | "
     "llega* | llego | es | fue | tiene | responde | acierta | del | shows | queda | quedan | se "
     "queda en"},
    {Cue::kObject,
     "against | over | compared with | compared to | relative to | versus | vs | than | "
     "vs. | in comparison with | in comparison to | unlike | as | from | contra | "
     "frente a | frente al | respecto a | respecto al | respecto de | respecto del | "
     "en comparacion con | comparado con | que | sobre | with | con | between | entre | to | "
     "al | a | upon | on top of | than that of"},
    {Cue::kFor, "for | of | de | del | para | by"},
    {Cue::kBy, "by | en un | en | un | en unos | por | of"},
    {Cue::kInterval, "interval | ci | confidence | ic | intervalo | confianza | between | entre"},
    {Cue::kSubgroup,
     "chile* | argentin* | uruguay* | spain | espana | spanish law | derecho espanol | subset | "
     "subconjunto | per jurisdiction | por jurisdiccion | in english | in spanish | "
     "en ingles | en castellano | en espanol | hard items | easy items | longer questions"},
    {Cue::kVague,
     "effective | effectiv* | robust* | excellent* | impressive* | remarkabl* | strong | "
     "promising | generali* | outstanding | superb | convincing* | reliab* | successful* | "
     "substantial* | dramatic* | considerabl* | clearly | eficaz | eficac* | excelente* | "
     "impresionante* | notable* | prometedor* | sobresaliente* | contundente* | exitos* | "
     "sustancial* | claramente | fiable* | works well | performs well | funciona bien | help | "
     "helps | helped | rival* | confirm* | compet* | approach | approaches | approached | narrows "
     "| narrowed | closes | benefit* | succeed* | consistent* | transfers | learns | learned | "
     "suffices | it does | the answer is yes | acerca* | ayuda* | rivaliza* | compite* | benefici* "
     "| estrecha | acorta | aprende* | lo confirma* | funciona | consolid* | pays off | merece la "
     "pena"},
    {Cue::kGate, "gate | gates | criterion | criteria | puerta* | criterio*"},
    {Cue::kMet,
     "met | meets | passed | passes | pass | fulfilled | satisfied | cumple | cumplen | "
     "cumplio | cumplieron | cumplida* | cumplido* | supera | superan | superadas | superados"},
    {Cue::kUnmet, "fails | failed | missed | unmet | incumple | incumplid* | falla | fallan"},
    {Cue::kGo, "go decision | decision is go | decision was go | a go | decision es go"},
    {Cue::kNoGo, "no-go | no go | nogo"},
    {Cue::kFinished,
     "finished | completed | finish | ended | terminaron | termino | completaron | "
     "finalizaron | came to their end | concluyeron"},
    {Cue::kConverged,
     "converge* | converged | convergen | convergieron | convergio | minimum loss reduction | loss "
     "reduction asked for | reduccion minima | reduccion de perdida pedida"},
    {Cue::kAborted,
     "aborted | abort | aborts | abortad* | abortaron | stopped by | interrumpid* | "
     "detenid*"},
    {Cue::kSeeds, "seed | seeds | semilla | semillas"},
    {Cue::kRuns, "run | runs | trial | trials | corrida* | ejecucion* | ensayo | ensayos"},
    {Cue::kEvery, "every | each | all | all of | cada | todas | todos | both | ambas | ambos"},
    {Cue::kSetup,
     "dropout | split | warm-up | warmup | learning rate | rank | held out | held-out | "
     "batch | epoch* | weight decay | train on | trained on | training set | validation set | "
     "test set | documents | items | documentos | reparto | tasa de aprendizaje | rango | lote | "
     "entrenamos con | conjunto de prueba | conjunto de validacion | tokens | steps | pasos | "
     "augment* | sampled | vocabulary | corpus consists | questions are"},
    {Cue::kBudget, "budget | presupuesto"},
    {Cue::kSaved, "saved | saves | ahorro | ahorraron | ahorrado"},
    {Cue::kOurs,
     "our model | our models | our approach | our method | our system | our adapter* | "
     "our fine-tuned model | ours | we | our | the model | the fine-tuned model | fine-tuned model "
     "| "
     "the trained model | trained model | the adapter* | fine-tuning | scm | the seeds | "
     "nuestro modelo | nuestro sistema | nuestro metodo | nuestr* | el modelo | modelo ajustado | "
     "modelo entrenado | modelo afinado | el ajuste fino | ajuste fino | el sistema | lora | "
     "the approach | the method | the system | it | this model | este modelo | fine-tuned one | "
     "the tuned model | tuned model | el ajustado | modelo propio | el modelo propuesto | proposed "
     "model | el nuestro | la nuestra"},
    {Cue::kBase,
     "base model | the base | untuned model | untouched base | untrained base | base | "
     "model before training | before fine-tuning | without fine-tuning | before training | "
     "modelo base | la base | modelo sin ajustar | sin ajuste fino | antes del ajuste | "
     "antes de entrenar | pre-trained model | pretrained model | modelo preentrenado | the base "
     "model | el modelo base | un modelo base | the untuned model | el modelo sin ajustar"},
    {Cue::kAnyBaseline, "the baseline | baseline | linea base | modelo de referencia | referencia"},
    {Cue::kAllBaselines,
     "all baselines | every baseline | both baselines | each baseline | the baselines | "
     "all other models | every other model | all models | all the models | all compared models | "
     "todas las lineas base | todos los modelos de referencia | todos los modelos | "
     "los demas modelos | cualquier otro modelo | ambas lineas base | all competitors | todas las "
     "referencias"},
    {Cue::kAllTasks,
     "all tasks | every task | each task | all four tasks | across tasks | "
     "across all tasks | all of the tasks | both tasks | all three tasks | "
     "todas las tareas | cada tarea | ambas tareas | "
     "las cuatro tareas | las tres tareas | las dos tareas"},
    {Cue::kResults,
     "result | results | resultado | resultados | findings | hallazgos | model | "
     "models | modelo | modelos"},
    {Cue::kMethod,
     "compar* | evaluat* | train* | measur* | test | tested | tests | report* | fine-tune | use | "
     "uses | "
     "used | select* | describ* | prompt* | receive* | given | evalua* | entren* | medimos | mide "
     "| "
     "usa | usamos | se usa | utiliz* | reciben | recibe | presenta* | present | study | studies | "
     "estudi* | analy* | analiz* | consider* | initial* | inicial* | start from | starts from | "
     "parte de | "
     "based on | basad* | differ only | differ in | same questions | mismas preguntas | load* | "
     "carg* | "
     "answers were | called | named | llama* | appendix | apendice | table | tabla | figure | "
     "figura"},
    {Cue::kRespectively, "respectively | respectivamente | in that order | en ese orden"},
    {Cue::kCited, "⟦cite⟧ | et al | et al. | y colaboradores"},
};

bool Matches(const Word& word, absl::string_view pattern) {
  if (pattern.size() > 1 && pattern.back() == '*') {
    return absl::StartsWith(word.text, pattern.substr(0, pattern.size() - 1));
  }
  return word.text == pattern;
}

struct Phrase {
  Cue cue;
  std::vector<std::string> words;
};

const std::vector<Phrase>& Phrases() {
  static const auto* const phrases = [] {
    auto* all = new std::vector<Phrase>;
    for (const Entry& entry : kEntries) {
      for (absl::string_view phrase : absl::StrSplit(entry.phrases, " | ")) {
        all->push_back({entry.cue, absl::StrSplit(phrase, ' ')});
      }
    }
    return all;
  }();
  return *phrases;
}

bool PhraseAt(const std::vector<Word>& words, size_t at, const Phrase& phrase) {
  if (at + phrase.words.size() > words.size()) return false;
  for (size_t i = 0; i < phrase.words.size(); ++i) {
    if (!Matches(words[at + i], phrase.words[i])) return false;
  }
  return true;
}

}  // namespace

std::vector<CueHit> FindCues(const std::vector<Word>& words) {
  std::vector<CueHit> hits;
  for (size_t at = 0; at < words.size(); ++at) {
    const size_t first = hits.size();
    for (const Phrase& phrase : Phrases()) {
      if (!PhraseAt(words, at, phrase)) continue;
      const size_t end = at + phrase.words.size();
      // The longest phrase of a cue counts.
      const auto same = std::find_if(hits.begin() + static_cast<int64_t>(first), hits.end(),
                                     [&](const CueHit& hit) { return hit.cue == phrase.cue; });
      if (same == hits.end()) {
        hits.push_back({phrase.cue, at, end});
      } else {
        same->end = std::max(same->end, end);
      }
    }
  }
  return hits;
}

}  // namespace scm::claims
