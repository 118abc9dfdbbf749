"""Frequent words with letters beyond ASCII, from titles, imprints and names; they tell charsets apart.

Small letters, NFC. A word earns its place by settling a real case; genuine Indonesian has few such letters, so the
words are those of the languages that stand beside it in our catalogues.
"""

FREQUENT = frozenset(
    """
    são não ção edição educação história João josé maría garcía gonzález martínez rodríguez hernández lópez pérez
    fernández sánchez ramírez gómez díaz muñoz núñez españa español española españoles años año niño niños señor señora
    méxico bogotá perú panamá córdoba málaga américa latín francés inglés historia introducción edición educación
    administración información investigación nación revolución canción corazón también más qué cómo según través época
    música lógica política económica económico teoría poesía filosofía biología psicología sociología geografía
    universität münchen köln zürich düsseldorf göttingen tübingen würzburg österreich für über müller schröder jürgen
    günther böhm bücher männer frauen länder städte einführung geschichte größe straße grundzüge völker könig königin
    natürlich möglich früher später schön hören können müssen würde wörterbuch übersetzung übersicht gesellschaft für
    erklärung bevölkerung verhältnis entwicklung ausführliche männlich gebäude märchen jahrbücher höhere gegenwärtig
    française français françaises françois université édition éditions éditeur école écoles études étude état états été
    même être société sociétés général générale première premières année années siècle poème poèmes théâtre théorie
    littérature économie économique politique révolution république médecine médicale bibliothèque européenne européen
    hélène andré rené gérard frédéric stéphane geneviève thérèse gréco musée musées caféc café cafés à où très après
    père mère frère château forêt hôtel hôpital rôle côte île maître connaître naître développement évolution équipe
    représentation présentation mémoire mémoires prélude numéro déjà voilà cité liberté égalité vérité beauté santé
    índice área línea país raíces día días río líder público pública república número números título único física
    química matemáticas análisis crítica básico clínica método métodos período jurídico católica práctica
    língua português portuguesa português brasília são coleção ciência ciências família você três através três mãe
    mães irmão irmãos coração região população relação relações questões lições canções pães capitães
    één coördinatie geïllustreerd geïllustreerde ideeën zeeën indië ministerie financiën officiële reünie België belgië
    koninkrijk coöperatie coöperatieve industriële financiële vóór knaapje oriëntatie patiënt patiënten provinciën
    göteborg malmö århus københavn ålborg tromsø norsk språk större för och år från på två också således själv människa
    håndbok første språket læren æra møller sørensen jørgensen bjørn søren kåre åse åke öst göran håkan sjö
    kraków łódź poznań wrocław gdańsk książka książki języka język polski słownik życie współczesny
    dějiny česká české český příručka práce století literatura země světa karel čapek jiří tomáš dvořák
    magyarország könyv történet és művészet szép első második írta pécs győr józsef lászló györgy ferenc bartók béla
    istanbul türkiye türk türkçe üniversitesi yayınları için çağdaş öğretim eğitim kültür coğrafya müzik şiir
    român românia istorie limbă limba română bucurești cărți și în
    qurʼān ʻilm sharīʻah ḥadīth fiqh tafsīr tārīkh kitāb muḥammad aḥmad ʻabd ʻalī ḥasan ibrāhīm islām islāmīyah
    al-qāhirah     bayrūt dār maktabat sunnah uṣūl taṣawwuf naḥwu naḥw ṣarf ṣalāh ṣaḥīḥ bukhārī ghazālī shāfiʻī imām ibn
    việt nam hà nội nguyễn trần phạm hoàng huỳnh phan vũ võ đặng bùi đỗ hồ ngô dương lý lịch sử văn học nhà xuất bản
    tiếng người đại của và những trong một được giáo dục quốc gia thành phố chí minh trẻ từ điển
    tōkyō kyōto ōsaka nihon bunka kenkyū gakkō
    sūrya rāmāyaṇa mahābhārata kṛṣṇa śiva viṣṇu bhārata purāṇa
    réseau réseaux résumé présent présente présence désert élève élèves thèse thèses œuvre œuvres échange échanges
    pédagogie pédagogique sémantique répertoire rédaction réforme région régional scène siècles système systèmes critère
    problème problèmes manière matière lumière dernière dernier troisième deuxième étranger étrangère peinture créole
    mystère caractère phénomène hypothèse synthèse espèces spécial spéciale série séries sécurité sélection séminaire
    kasétiaan béntang pasantrén wédhatama sêrat babad édisi kapisan carita wulangrèh acèh atjéh
    naïve naïveté rôle fiancée résumé façade exposé cliché détente élite fête coöperative reëvaluation zoölogy
    élan études zoë chloë brontë beyoncé renée dvořák fauré léon señorita piñata jalapeño cañon são tomé príncipe
    réunion curaçao genève québec montréal bogotá yucatán
    """.lower().split()
)
